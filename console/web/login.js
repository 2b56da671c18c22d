import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { logIn } from "./api.js";
import { t } from "./i18n.js";
import { Failure, Field } from "./ui.js";

/** The form to log in by. */
export function LogIn({ ended }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const name = useRef(), password = useRef();
  useEffect(() => { name.current.focus(); document.title = `${t("page.login")} – dialbridge`; }, []);
  async function submit(e) {
    e.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await logIn(name.current.value, password.current.value);
      if (location.hash === "#/login") location.replace("#/");
    } catch (failure) {
      setError(failure);
      setBusy(false);
      password.current.value = "";
      password.current.focus();
    }
  }
  return html`<form class="card login" onSubmit=${submit}>
    <h1>${t("page.login")}</h1>
    ${ended && html`<p class="notice warn" role="status">${t(`login.${ended}`)}</p>`}
    <${Field} label=${t("login.name")}><input ref=${name} name="login" autocomplete="username" required maxlength="128" /><//>
    <${Field} label=${t("login.password")}><input ref=${password} name="password" type="password" autocomplete="current-password" required /><//>
    <${Failure} error=${error} />
    <button class="primary" disabled=${busy}>${t("login.submit")}</button>
  </form>`;
}
