import { html, render, Component, useEffect, useState } from "./vendor/preact-htm.js";
import { currentSession, hasEnded, logOut, may, onSession, resume } from "./api.js";
import { lang, onLang, setLang, t } from "./i18n.js";
import { Failure } from "./ui.js";
import { LogIn } from "./login.js";
import { setTheme, theme } from "./theme.js";

/** `#/NAME/ARG?x=y` shows the default export of pages/NAME.js as a component with {args: ["ARG"], query: {x: "y"}}; `page.NAME` is its title. */
const page = (name, role, more) => ({ name, role, load: () => import(`./pages/${name}.js`), ...more });

/** All pages in the order of the menu, with the least role that may see them; {hidden: true} keeps one out of the menu. */
const pages = [
  page("wall", "supervisor"),
  page("call", "supervisor", { hidden: true }),
  page("history", "supervisor"),
  page("charts", "supervisor"),
  page("recordings", "supervisor"),
  page("blacklist", "supervisor"),
  page("delivery", "supervisor"),
  page("users", "admin"),
  page("audit", "admin"),
  page("account", "agent", { hidden: true }),
];

/** Where the address leads: #/call/1795293624.0?x=y is {name: "call", args: ["1795293624.0"], query: {x: "y"}}. */
function readRoute() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...args] = path.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  return { name, args, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Keeps the failure of one page from the rest. */
class Fence extends Component {
  componentDidCatch(error) { this.setState({ error }); }
  render({ children }, { error }) {
    return error ? html`<div class="notice bad" role="alert">${t("shell.broken", { error: error.message })}</div>` : children;
  }
}

function Page({ page, route }) {
  const [loaded, set] = useState({});
  useEffect(() => {
    let gone = false;
    set({});
    page.load().then((module) => { if (!gone) set({ module }); }, (error) => { if (!gone) set({ error }); });
    return () => { gone = true; };
  }, [page]);
  useEffect(() => { document.title = `${t(loaded.module?.title ?? `page.${page.name}`)} – dialbridge`; });
  if (loaded.error) return html`<${Failure} error=${loaded.error} retry=${() => location.reload()} />`;
  if (!loaded.module) return html`<p class="quiet">${t("ui.loading")}</p>`;
  return html`<${Fence} key=${page.name}><${loaded.module.default} ...${route} /><//>`;
}

function Content({ route }) {
  const page = pages.find((p) => p.name === route.name);
  if (page && may(page.role)) return html`<${Page} page=${page} route=${route} />`;
  return html`<h1>${page ? t(`page.${page.name}`) : "dialbridge"}</h1><p class="notice bad">${t(page ? "shell.forbidden" : "shell.missing")}</p>`;
}

function Choice({ label, value, options, onChange }) {
  return html`<label class="choice"><span class="sr">${label}</span>
    <select title=${label} value=${value} onChange=${(e) => onChange(e.target.value)}>
      ${options.map(([v, text]) => html`<option value=${v} selected=${v === value}>${text}</option>`)}
    </select></label>`;
}

const Choices = () => html`
  <${Choice} label=${t("shell.language")} value=${lang()} onChange=${setLang} options=${[["en", "English"], ["zh", "中文"]]} />
  <${Choice} label=${t("shell.theme")} value=${theme()} onChange=${setTheme}
    options=${["auto", "light", "dark"].map((v) => [v, t(`theme.${v}`)])} />`;

function Menu({ name }) {
  const shown = pages.filter((p) => !p.hidden && may(p.role));
  return html`<nav aria-label=${t("shell.pages")}><ul>${shown.map((p) => html`<li key=${p.name}>
    <a href=${`#/${p.name}`} aria-current=${p.name === name ? "page" : undefined}>${t(`page.${p.name}`)}</a></li>`)}</ul></nav>`;
}

/** One and the same as long as it is the same who looks: another one finds nothing of what the one before him had open. */
const whose = (session) => `${session.kind} ${session.login || session.extension || ""} ${session.role}`;

function Head({ session, name, onFail }) {
  return html`<header>
    <a class="brand" href="#/">dialbridge</a>
    ${session && html`<${Menu} name=${name} />`}
    <div class="tools"><${Choices} />
      ${session && html`<a class="who" href="#/account" title=${t(`role.${session.role}`)}>${session.name || t("shell.local")}</a>`}
      ${session?.kind === "cookie" && html`<button type="button" onClick=${() => logOut().catch(onFail)}>${t("shell.logout")}</button>`}
    </div></header>`;
}

function App() {
  const [session, setSession] = useState(currentSession());
  const [route, setRoute] = useState(readRoute());
  const [failed, setFailed] = useState(null);
  const [, redraw] = useState(0);
  const start = () => { setFailed(null); resume().catch(setFailed); };
  useEffect(() => {
    const ends = [onSession(setSession), onLang(() => redraw((n) => n + 1))];
    const moved = () => setRoute(readRoute());
    addEventListener("hashchange", moved);
    start();
    return () => { ends.forEach((end) => end()); removeEventListener("hashchange", moved); };
  }, []);
  useEffect(() => {
    const first = pages.find((p) => !p.hidden && may(p.role)) ?? pages.find((p) => may(p.role)); // an agent has his account alone
    if (session && route.name === "" && first) location.replace(`#/${first.name}`);
  }, [session, route.name]);
  let content = html`<p class="quiet">${t("ui.loading")}</p>`;
  if (failed) content = html`<${Failure} error=${failed} retry=${start} />`;
  else if (session === null || route.name === "login") content = html`<${LogIn} ended=${hasEnded()} />`;
  else if (session && route.name !== "") content = html`<${Content} key=${whose(session)} route=${route} />`;
  return html`<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.getElementById("main").focus(); }}>${t("shell.skip")}</a>
    <${Head} session=${session} name=${route.name} onFail=${setFailed} />
    <main id="main" tabindex="-1">${content}</main>`;
}

render(html`<${App} />`, document.getElementById("app"));
