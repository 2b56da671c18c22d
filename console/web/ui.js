// Small things that several pages need.

import { html, useEffect, useState, useCallback, useRef } from "./vendor/preact-htm.js";
import { get, pbxTime } from "./api.js";
import { said, t } from "./i18n.js";

/** What went wrong, in words. */
export const wording = (error) => (error.status === 0 ? t("ui.offline") : said(error.message) || String(error));

/** Asks for a path when it changes, and again by reload(). While it loads, the data of before is kept. */
export function useLoad(path) {
  const [state, set] = useState({ data: undefined, error: null, loading: true });
  const [turn, again] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    set((old) => ({ ...old, loading: true }));
    get(path, { signal: control.signal }).then(
      (data) => set({ data, error: null, loading: false }),
      (error) => { if (error.name !== "AbortError") set((old) => ({ ...old, error, loading: false })); },
    );
    return () => control.abort();
  }, [path, turn]);
  return { ...state, reload: useCallback(() => again((n) => n + 1), []) };
}

/** An error with a button to try again; nothing without one. */
export function Failure({ error, retry }) {
  if (!error) return null;
  return html`<div class="notice bad" role="alert"><span>${wording(error)}</span>
    ${retry && html`<button type="button" onClick=${retry}>${t("ui.retry")}</button>`}</div>`;
}

/** A label with its field. */
export const Field = ({ label, hint, children }) => html`<label class="field"><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;

/** A date and a time as the PBX's clock showed it; "" for none. */
export const when = (iso) => (iso ? pbxTime(Date.parse(iso)) : "");

/** 75 -> "1:15", 3675 -> "1:01:15". */
export function span(seconds) {
  const n = Math.max(0, Math.floor(seconds || 0));
  const two = (x) => String(x).padStart(2, "0");
  return n < 3600 ? `${Math.floor(n / 60)}:${two(n % 60)}` : `${Math.floor(n / 3600)}:${two(Math.floor((n % 3600) / 60))}:${two(n % 60)}`;
}

/** How long something was that is over: rounded, as in the CSV and in what is pushed. A running time is a span: its seconds are full ones. */
export const lasted = (seconds) => span(Math.round(seconds || 0));

/** A window above the page, which Escape closes. */
export function Dialog({ title, onClose, children }) {
  const box = useRef();
  useEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onCancel=${(e) => { e.preventDefault(); onClose(); }}>
    <h2 id="dialog-title">${title}</h2>${children}</dialog>`;
}
