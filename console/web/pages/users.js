import { html, useState } from "../vendor/preact-htm.js";
import { currentSession, send } from "../api.js";
import { addTexts, t } from "../i18n.js";
import { Dialog, Failure, Field, useLoad, when } from "../ui.js";

export const title = "page.users";

addTexts({
  en: {
    "users.add": "Add a user", "users.login": "Login", "users.name": "Name", "users.role": "Role", "users.password": "Password", "users.state": "State",
    "users.last": "Last log-in", "users.never": "never", "users.active": "may log in", "users.disabled": "disabled", "users.disable": "May not log in",
    "users.new": "New password", "users.keep": "Empty: stays as it is", "users.long": "At least 8 characters", "users.change": "Change {login}",
    "users.changeOf": "Change {login}", "users.deleteOf": "Delete {login}", "users.sure": "Delete the user {login}? Everything that he has open ends.",
    "users.ends": "He must log in again after a change.", "users.actions": "Actions", "users.me": "you",
    "users.roles": "Agents see what concerns themselves, supervisors see all, administrators may change it.",
  },
  zh: {
    "users.add": "添加用户", "users.login": "登录名", "users.name": "姓名", "users.role": "角色", "users.password": "密码", "users.state": "状态",
    "users.last": "上次登录", "users.never": "从未", "users.active": "可登录", "users.disabled": "已停用", "users.disable": "禁止登录",
    "users.new": "新密码", "users.keep": "留空则保持不变", "users.long": "至少 8 个字符", "users.change": "修改 {login}",
    "users.changeOf": "修改 {login}", "users.deleteOf": "删除 {login}", "users.sure": "删除用户 {login}？其所有会话都将结束。",
    "users.ends": "修改后该用户须重新登录。", "users.actions": "操作", "users.me": "您",
    "users.roles": "坐席只能看到与自己有关的内容，班长可以查看全部，管理员可以修改。",
    "error.login: not 1 to 64 letters, digits and . _ @ + -": "登录名须为 1 到 64 个字母、数字或 . _ @ + -",
    "error.login: digits alone are an extension's": "纯数字是分机号，不能用作登录名", "error.password: shorter than 8 characters": "密码少于 8 个字符", "error.password: the same as the login": "密码不能与登录名相同",
  },
});

/** Asks and closes, or stays and says what went wrong. */
function useSubmit(ask, done) {
  const [state, set] = useState({ busy: false, error: null });
  const submit = async (e) => {
    e.preventDefault();
    set({ busy: true, error: null });
    try {
      await ask(new FormData(e.target));
      done();
    } catch (error) {
      set({ busy: false, error });
    }
  };
  return { ...state, submit };
}

const Buttons = ({ busy, text, danger, onClose }) => html`<div class="buttons">
  <button class=${danger ? "danger" : "primary"} disabled=${busy}>${text}</button><button type="button" autofocus=${danger} onClick=${onClose}>${t("ui.cancel")}</button></div>`;

/** Makes a user, or changes the one that is given. */
function Edit({ user, onClose, onDone }) {
  const { busy, error, submit } = useSubmit((form) => {
    const body = { name: form.get("name"), role: form.get("role") };
    if (form.get("password")) body.password = form.get("password");
    if (!user) return send("POST", "users", { ...body, login: form.get("login") });
    return send("PUT", `users/${user.id}`, { ...body, disabled: form.get("disabled") === "on" });
  }, onDone);
  return html`<${Dialog} title=${user ? t("users.change", user) : t("users.add")} onClose=${onClose}>
    <form onSubmit=${submit}>
      ${!user && html`<${Field} label=${t("users.login")}><input name="login" required maxlength="64" autocomplete="off" /><//>`}
      <${Field} label=${t("users.name")}><input name="name" defaultValue=${user?.name} required=${Boolean(user)} maxlength="128" autocomplete="off" /><//>
      <${Field} label=${t("users.role")} hint=${t("users.roles")}><select name="role">
        ${["agent", "supervisor", "admin"].map((r) => html`<option value=${r} selected=${r === (user?.role ?? "agent")}>${t(`role.${r}`)}</option>`)}</select><//>
      <${Field} label=${t(user ? "users.new" : "users.password")} hint=${t(user ? "users.keep" : "users.long")}>
        <input name="password" type="password" required=${!user} minlength="8" autocomplete="new-password" /><//>
      ${user && html`<label class="field check"><span>${t("users.disable")}</span><input name="disabled" type="checkbox" defaultChecked=${user.disabled} /></label>
        <p class="quiet">${t("users.ends")}</p>`}
      <${Failure} error=${error} />
      <${Buttons} busy=${busy} text=${t("ui.save")} onClose=${onClose} />
    </form><//>`;
}

function Remove({ user, onClose, onDone }) {
  const { busy, error, submit } = useSubmit(() => send("DELETE", `users/${user.id}`), onDone);
  return html`<${Dialog} title=${t("users.deleteOf", user)} onClose=${onClose}>
    <form onSubmit=${submit}><p>${t("users.sure", user)}</p><${Failure} error=${error} /><${Buttons} busy=${busy} text=${t("ui.delete")} danger onClose=${onClose} /></form><//>`;
}

const Row = ({ user, onEdit, onRemove }) => html`<tr>
  <th scope="row">${user.login}${user.login === currentSession()?.login && html` <span class="tag">${t("users.me")}</span>`}</th>
  <td>${user.name}</td><td class="short">${t(`role.${user.role}`)}</td>
  <td><span class=${`tag ${user.disabled ? "warn" : "good"}`}>${t(user.disabled ? "users.disabled" : "users.active")}</span></td>
  <td class="when">${when(user.last_login) || t("users.never")}</td>
  <td><div class="buttons"><button type="button" aria-label=${t("users.changeOf", user)} onClick=${onEdit}>${t("ui.edit")}</button>
    <button type="button" class="danger" aria-label=${t("users.deleteOf", user)} onClick=${onRemove}>${t("ui.delete")}</button></div></td></tr>`;

/** Who may log in. */
export default function Users() {
  const { data, error, reload } = useLoad("users");
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  const done = () => { close(); reload(); };
  return html`<h1>${t("page.users")}</h1>
    <${Failure} error=${error} retry=${reload} />
    <div class="bar"><button type="button" class="primary" onClick=${() => setOpen({ edit: null })}>${t("users.add")}</button></div>
    ${data && html`<div class="scroll" tabindex="0" role="region" aria-label=${t("page.users")}><table>
      <thead><tr>${["login", "name", "role", "state", "last", "actions"].map((k) => html`<th scope="col">${t(`users.${k}`)}</th>`)}</tr></thead>
      <tbody>${data.users.map((user) => html`<${Row} key=${user.id} user=${user} onEdit=${() => setOpen({ edit: user })} onRemove=${() => setOpen({ remove: user })} />`)}</tbody>
    </table></div>`}
    ${open && "edit" in open && html`<${Edit} user=${open.edit} onClose=${close} onDone=${done} />`}
    ${open?.remove && html`<${Remove} user=${open.remove} onClose=${close} onDone=${done} />`}`;
}
