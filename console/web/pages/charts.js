// Calls per hour and per agent, drawn and as tables.

import { html, useMemo } from "../vendor/preact-htm.js";
import { addTexts, lang, t } from "../i18n.js";
import { Failure, Field, lasted, useLoad } from "../ui.js";
import { SearchForm, Table, clock, moment, withQuery } from "../list.js";
import { Chart } from "../chart.js";

export const title = "page.charts";

addTexts({
  en: {
    "charts.from": "From", "charts.to": "To, this day included", "charts.queue": "Queue", "charts.show": "Show", "charts.hours": "Calls per hour", "charts.talkHours": "Minutes of talk per hour",
    "charts.agents": "Calls per agent", "charts.hour": "Hour", "charts.calls": "Calls", "charts.answered": "Answered", "charts.abandoned": "Abandoned", "charts.missed": "Missed",
    "charts.talk": "Talk time", "charts.hold": "On hold", "charts.afterwork": "After-call work", "charts.agent": "Agent", "charts.total": "Total", "charts.minutes": "Minutes of talk",
    "charts.hint": "Calls that have ended, by their begin. Abandoned: waited in a queue, or were not let in, and nobody answered. Missed: rang at the agent, who did not answer.",
    "charts.kept": "The oldest call that is kept began at {oldest}; of what was before it nothing is known.", "charts.some": "The picture shows the {n} agents with the most calls; the table has all.",
    "charts.more": "There are more than 1000 agents; the others are not listed.", "charts.describe": "{title}: {calls} calls, {answered} answered, {abandoned} abandoned. The table below has the numbers.",
    "charts.describeAgents": "{title}, of {n} agents. The table below has the numbers.", "charts.empty": "No calls in this span.",
  },
  zh: {
    "charts.from": "从", "charts.to": "到（含当天）", "charts.queue": "队列", "charts.show": "显示", "charts.hours": "每小时通话数", "charts.talkHours": "每小时通话分钟数",
    "charts.agents": "坐席通话数", "charts.hour": "时段", "charts.calls": "通话数", "charts.answered": "已接听", "charts.abandoned": "放弃", "charts.missed": "未接",
    "charts.talk": "通话时长", "charts.hold": "保持", "charts.afterwork": "话后处理", "charts.agent": "坐席", "charts.total": "合计", "charts.minutes": "通话分钟数",
    "charts.hint": "按开始时间统计已结束的通话。放弃：在队列中等待或未能进入队列，且无人接听。未接：振铃而坐席未接听。",
    "charts.kept": "保存的最早通话始于 {oldest}，此前的情况未知。", "charts.some": "图中为通话最多的 {n} 位坐席，表格列出全部。",
    "charts.more": "坐席超过 1000 位，其余未列出。", "charts.describe": "{title}：{calls} 个通话，接听 {answered}，放弃 {abandoned}。具体数字见下表。",
    "charts.describeAgents": "{title}，{n} 位坐席。具体数字见下表。", "charts.empty": "此时间段内没有通话。",
    "error.to: is not after from": "结束日期早于开始日期", "error.to: is more than 31 days after from": "时间段不能超过 31 天",
  },
});

/** How many agents have room in the picture. */
const drawn = 30;

/** The day behind a date: the span ends where it begins. */
function dayAfter(date) {
  const day = new Date(`${date}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + 1);
  return day.toISOString().slice(0, 10);
}

const th = (name, number = true) => html`<th scope="col" class=${number && "number"}>${t(`charts.${name}`)}</th>`;

const Counts = ({ of }) => html`<td class="number">${of.calls}</td><td class="number">${of.answered}</td><td class="number">${of.abandoned}</td><td class="number">${lasted(of.talk)}</td>`;

function Hours({ data }) {
  const { names, calls, talk } = useMemo(() => {
    const of = (key) => data.hours.map((h) => h[key]);
    const day = data.hours.length > 24;
    return {
      names: data.hours.map((h) => (day ? clock(h.start).slice(5, 16) : clock(h.start).slice(11, 16))),
      calls: [
        { label: t("charts.calls"), values: of("calls"), shape: "bars", colour: "--accent" }, { label: t("charts.answered"), values: of("answered"), shape: "line", colour: "--good" },
        { label: t("charts.abandoned"), values: of("abandoned"), shape: "dashes", colour: "--bad" },
      ],
      talk: [{ label: t("charts.minutes"), values: of("talk").map((s) => s / 60), shape: "bars", colour: "--good" }],
    };
  }, [data, lang()]);
  const describe = (name) => t("charts.describe", { title: t(`charts.${name}`), ...data.total });
  return html`<section class="card"><h2>${t("charts.hours")}</h2><${Chart} label=${describe("hours")} names=${names} series=${calls} />
      <h2>${t("charts.talkHours")}</h2><${Chart} label=${describe("talkHours")} names=${names} series=${talk} height=${180} />
      <${Table} caption=${t("charts.hours")}><thead><tr>${th("hour", false)}${th("calls")}${th("answered")}${th("abandoned")}${th("talk")}</tr></thead>
        <tbody>${data.hours.filter((h) => h.calls > 0).map((h) => html`<tr key=${h.start}><th scope="row">${clock(h.start).slice(0, 16)}</th><${Counts} of=${h} /></tr>`)}</tbody>
        <tfoot><tr><th scope="row">${t("charts.total")}</th><${Counts} of=${data.total} /></tr></tfoot><//></section>`;
}

function Agents({ data }) {
  const { names, series } = useMemo(() => {
    const most = data.agents.length <= drawn ? data.agents : [...data.agents].sort((a, b) => b.calls - a.calls).slice(0, drawn);
    return {
      names: most.map((a) => a.extension),
      series: [
        { label: t("charts.calls"), values: most.map((a) => a.calls), shape: "bars", colour: "--accent" },
        { label: t("charts.answered"), values: most.map((a) => a.answered), shape: "line", colour: "--good" },
        { label: t("charts.missed"), values: most.map((a) => a.missed), shape: "dashes", colour: "--bad" },
      ],
    };
  }, [data, lang()]);
  const label = t("charts.describeAgents", { title: t("charts.agents"), n: data.agents.length });
  return html`<section class="card"><h2>${t("charts.agents")}</h2><${Chart} label=${label} names=${names} series=${series} />
      ${data.agents.length > drawn && html`<p class="quiet">${t("charts.some", { n: drawn })}</p>`}
      <${Table} caption=${t("charts.agents")}><thead><tr>${th("agent", false)}${th("calls")}${th("answered")}${th("missed")}${th("talk")}${th("hold")}${th("afterwork")}</tr></thead>
        <tbody>${data.agents.map((a) => html`<tr key=${a.extension}><th scope="row">${a.extension}</th><td class="number">${a.calls}</td><td class="number">${a.answered}</td>
          <td class="number">${a.missed}</td><td class="number">${lasted(a.talk)}</td><td class="number">${lasted(a.hold)}</td><td class="number">${lasted(a.afterwork)}</td></tr>`)}</tbody><//>
      ${data.more_agents && html`<p class="notice warn">${t("charts.more")}</p>`}</section>`;
}

function Content({ data }) {
  return html`${data.oldest && new Date(data.oldest) > new Date(data.from) && html`<p class="notice warn">${t("charts.kept", { oldest: clock(data.oldest) })}</p>`}
    <p class="quiet">${clock(data.from).slice(0, 16)} – ${clock(data.to).slice(0, 16)}. ${t("charts.hint")}</p>
    ${data.total.calls === 0 ? html`<p role="status">${t("charts.empty")}</p>` : html`<${Hours} data=${data} />${data.agents.length > 0 && html`<${Agents} data=${data} />`}`}`;
}

export default function Charts({ query }) {
  const { from, to, queue } = query;
  const { data, error, loading, reload } = useLoad(withQuery("stats", { from: moment(from), to: to && moment(dayAfter(to)), queue }));
  const date = (name) => html`<${Field} label=${t(`charts.${name}`)}><input type="date" name=${name} defaultValue=${query[name] ?? ""} /><//>`;
  return html`<h1>${t(title)}</h1>
    <${SearchForm} page="charts" query=${query} reload=${reload}>
      ${date("from")}${date("to")}
      <${Field} label=${t("charts.queue")}><input name="queue" defaultValue=${queue ?? ""} maxlength="80" /><//>
      <button class="primary" type="submit">${t("charts.show")}</button><//>
    <${Failure} error=${error} retry=${reload} />
    ${loading && html`<p class="quiet" role="status">${t("ui.loading")}</p>`}
    ${data && !error && !loading && html`<${Content} data=${data} />`}`;
}
