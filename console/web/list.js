// What the pages with lists have in common: pages of rows behind one another, a filter in the address, times of the PBX.

import { html, useCallback, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { get } from "./api.js";
import { addTexts, t } from "./i18n.js";
import { Dialog, Failure, wording } from "./ui.js";

addTexts({ en: { "list.shown": "{n} shown" }, zh: { "list.shown": "已显示 {n} 条" } });

/** A path with those of the parameters that are not empty. */
export function withQuery(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== undefined && v !== null && v !== "")).toString();
  return query ? `${path}?${query}` : path;
}

/**
 * The rows that are answered under a name, the first page at once and each further one by more(). `cursor` is the parameter that takes what the answer has
 * given as next. While another filter loads, the rows of before are not shown: they would pass for what was looked for. Those of the same one are, so that the page does not
 * jump.
 */
export function useList(path, parameters, name, cursor = "before") {
  const first = withQuery(path, parameters);
  const [state, set] = useState({ rows: [], loading: true });
  const [turn, again] = useState(0);
  const control = useRef(), shown = useRef();
  const load = useCallback((address, old, same) => {
    control.current?.abort();
    const mine = control.current = new AbortController();
    set((now) => ({ ...(same ? now : old), loading: true, error: null }));
    get(address, { signal: mine.signal }).then(
      (data) => set({ data, rows: [...old.rows, ...data[name]], next: data.next, loading: false }),
      (error) => { if (error.name !== "AbortError") set({ ...old, error, loading: false }); },
    );
  }, [name]);
  useEffect(() => {
    load(first, { rows: [] }, shown.current === first);
    shown.current = first;
    return () => control.current?.abort();
  }, [first, turn]);
  return {
    ...state, reload: () => again((n) => n + 1),
    more: () => load(withQuery(path, { ...parameters, [cursor]: state.next }), state),
  };
}

/** What stands below the rows: what failed, that there are none, or the way to more of them. */
export function ListEnd({ list }) {
  return html`<${Failure} error=${list.error} retry=${list.next ? list.more : list.reload} />
    <p role="status" class="quiet">${list.loading ? t("ui.loading") : list.error ? "" : list.rows.length === 0 ? t("ui.none") : t("list.shown", { n: list.rows.length })}</p>
    ${list.next && !list.loading && html`<button type="button" onClick=${list.more}>${t("ui.more")}</button>`}`;
}

/** A table that may be wider than the page; the keyboard can move it. */
export const Table = ({ caption, children }) => html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
  <table><caption>${caption}</caption>${children}</table></div>`;

/**
 * A form whose fields stand behind the page's address, where they can be gone back to and passed on; what is there already is asked for again by reload. The
 * fields have their values as defaultValue and defaultSelected: another address sets them anew and leaves the focus where it is.
 */
export function SearchForm({ page, query, reload, children }) {
  const form = useRef();
  useEffect(() => form.current.reset(), [JSON.stringify(query)]);
  const search = (event) => {
    event.preventDefault();
    const next = `#/${withQuery(page, Object.fromEntries(new FormData(form.current)))}`;
    if (next === location.hash) reload();
    else location.hash = next;
  };
  return html`<form ref=${form} class="bar card" role="search" onSubmit=${search}>${children}</form>`;
}

/** A list to choose one of: options are pairs of value and text; `any` is the text for none of them. */
export const Choice = ({ name, value, options, any }) => html`<select name=${name}>${any && html`<option value="">${any}</option>`}
  ${options.map(([v, text]) => html`<option key=${v} value=${v} defaultSelected=${v === value}>${text}</option>`)}</select>`;

/** A time as the PBX's clock showed it, whatever the zone of who looks: "2026-11-21 23:04:05"; "" for none. */
export const clock = (iso) => (iso || "").slice(0, 19).replace("T", " ");

/** What a field for a date, with or without a time, holds, for the daemon: on the PBX's clock. */
export const moment = (value) => value && value.replace("T", " ") + ({ [date]: " 00:00:00", [minute]: ":00" }[value.length] ?? "");

const date = "2026-11-21".length;
const minute = "2026-11-21T23:04".length;

/** Asks before something is done, and says what went wrong. `act` returns a promise. Where there is danger, Enter pressed twice does nothing. */
export function Confirm({ title, text, action, danger, act, onClose }) {
  const [state, set] = useState({});
  const go = async () => {
    set({ busy: true });
    try {
      await act();
      onClose();
    } catch (error) {
      set({ error });
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${text}</p>
    ${state.error && html`<p class="notice bad" role="alert">${wording(state.error)}</p>`}
    <div class="buttons"><button type="button" class=${danger ? "danger" : "primary"} disabled=${state.busy} onClick=${go}>${action}</button>
      <button type="button" autofocus=${danger} onClick=${onClose}>${t("ui.cancel")}</button></div><//>`;
}
