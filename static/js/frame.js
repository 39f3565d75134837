/* On every page: the theme button without a reload, the current tab brought into view, menus, and live parts. */
for (const form of document.querySelectorAll("form[data-theme-form]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const theme = event.submitter.value;
    fetch(form.action, { method: "POST", body: new FormData(form, event.submitter), redirect: "manual" });
    document.documentElement.dataset.theme = theme;
    form.querySelector(`button:not([value=${theme}])`).focus();
    document.dispatchEvent(new Event("redraw"));
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

/* Live parts (data-live): while somebody looks, the page asks now and then whether its stamp is still right. The chip
   and the bell come with the answer; a page with data-follows reads itself again. What changed is mended in its place. */
const EVERY = 15, SELDOM = 300, REST = 3, SOON = [1, 1, 1, 2, 2, 3, 3, 5, 5, 8, 13]; // seconds
const KEPT = ["open", "style", "width", "height", "data-ready"]; // what the reader or the chart has set
const parts = (root) => new Map([...root.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part]));
const shape = (part) => [...part.querySelectorAll("*")].map((e) => e.nodeName + e.getAttribute("href")).join();
const words = () => [...document.querySelectorAll(".side .balance-chip > *, [data-live=bell] a")].map((e) => e.ariaLabel ?? e.textContent).join(", ");
const isWaiting = () => document.querySelector("[data-poll]"), seconds = (since) => (performance.now() - since) / 1000;
const ask = (url, headers) => fetch(url, { headers, signal: AbortSignal.timeout(20_000) });
let stamp = `"${document.body.dataset.stamp}"`, said = words(), spoke = -Infinity, touched = -Infinity, asked = 0, errors = 0, timer;

/* The fewest changes that make `old` like `fresh`: focus, selection and open menus stay. */
function mend(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (!old.attributes) { old.data = fresh.data; return; }
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name) && !KEPT.includes(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  while (old.childNodes.length > fresh.childNodes.length) old.lastChild.remove();
  [...fresh.childNodes].forEach((child, at) => old.childNodes[at] ? mend(old.childNodes[at], child) : old.append(child));
}

/* Whether the part is right now: what would move waits while the focus is in it or a hand is at work. */
function renew(old, part) {
  if (!part || old.isEqualNode(part)) return true;
  const isInUse = old.contains(document.activeElement) || seconds(touched) < REST;
  if (isInUse && old.closest("main") && shape(old) !== shape(part)) return false;
  mend(old, part.cloneNode(true));
  if (old.querySelector(".plot")) document.dispatchEvent(new Event("redraw"));
  return true;
}

/* Whether all is shown. A page that has become another one, as a top-up's does, is loaded anew. */
async function show(answer) {
  if (!answer.ok) throw new Error(answer.status);
  const fresh = parts(new DOMParser().parseFromString(await answer.text(), "text/html"));
  const isTurned = fresh.has("notes") && [...fresh.keys()].join() !== [...parts(document).keys()].join();
  if (isTurned && (isWaiting() || seconds(touched) > REST)) location.reload();
  return !isTurned && [...document.querySelectorAll("[data-live]")].map((old) => renew(old, fresh.get(old.dataset.live))).every(Boolean);
}

/* Returns how many seconds to wait for the next look: none for whoever is signed out. */
async function look() {
  const news = await ask(document.body.dataset.follow, { "If-None-Match": stamp });
  if (news.status === 204) return 0;
  if (news.status !== 304) await show(news);
  if (said !== words() && seconds(spoke) > 60) [spoke, document.getElementById("live").textContent] = [performance.now(), said = words()];
  const follows = document.querySelector(news.status === 304 ? "[data-poll]" : "[data-follows]");
  if (follows && !await show(await ask(location.href, { "X-Live": "yes" }))) return REST;
  [stamp, errors] = [news.headers.get("ETag"), 0];
  return (isWaiting() && SOON[asked++]) || EVERY;
}

async function follow() {
  if (document.hidden) return;
  const wait = await look().catch(() => Math.min(SELDOM, EVERY * 2 ** ++errors));
  clearTimeout(timer);
  if (wait) timer = setTimeout(follow, wait * (800 + 400 * Math.random()));
}

if (document.body.dataset.follow) {
  for (const hand of ["pointermove", "pointerdown", "wheel", "keydown"]) addEventListener(hand, () => { touched = performance.now(); }, { passive: true });
  timer = setTimeout(follow, (isWaiting() ? 1 : EVERY) * (800 + 400 * Math.random()));
  for (const cue of ["visibilitychange", "look"]) document.addEventListener(cue, follow);
}
