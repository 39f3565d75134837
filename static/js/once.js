/* One click, one request: a second submit of a payment form is stopped here (and by its key on the server). */
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.ariaBusy === "true") event.preventDefault();
    form.ariaBusy = "true";
    for (const button of form.querySelectorAll("[type=submit]")) button.setAttribute("aria-busy", "true");
  });
}
addEventListener("pageshow", () => {
  for (const busy of document.querySelectorAll("form[data-once][aria-busy], form[data-once] [aria-busy]")) busy.removeAttribute("aria-busy");
});
