// Style sheets that belong to one page.

/** Loads a style sheet once. */
export function addStyle(url) {
  if (document.querySelector(`link[href="${url.href}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = url.href;
  document.head.append(link);
}
