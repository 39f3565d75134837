/* On every page: the theme button without a reload, the current tab brought into view, menus, and live parts. */
for (const form of document.querySelectorAll("form[data-theme-form]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const theme = event.submitter.value;
    fetch(form.action, { method: "POST", body: new FormData(form, event.submitter), redirect: "manual" });
    document.documentElement.dataset.theme = theme;
    form.querySelector(`button:not([value=${theme}])`).focus();
    document.dispatchEvent(new Event("themechange"));
  });
}

for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const strip = tab.closest(".tabs");
  strip.scrollLeft = tab.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
}

/* The menu of small screens closes as menus do: with Escape, or by going elsewhere. */
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
}

/* A page with data-follows keeps its parts marked data-live up to date while somebody looks at it. What changed is
   replaced in its place; a part that holds the focus is left alone. */
const FOLLOW = 15_000; // milliseconds
const parts = (root) => new Map([...root.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part]));

async function follow() {
  const answer = await fetch(location.href, { headers: { "X-Live": "yes" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = parts(new DOMParser().parseFromString(await answer.text(), "text/html"));
  for (const old of document.querySelectorAll("[data-live]")) {
    const part = fresh.get(old.dataset.live);
    const isStale = part && part.innerHTML !== old.innerHTML && !old.contains(document.activeElement);
    if (isStale) old.replaceChildren(...part.cloneNode(true).childNodes);
  }
}

if (document.querySelector("[data-follows]")) {
  const look = () => { if (!document.hidden) follow().catch(() => {}); };
  setInterval(look, FOLLOW);
  document.addEventListener("visibilitychange", look);
}
