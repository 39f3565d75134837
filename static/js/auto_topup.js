/* Auto-topup: its sentence follows the fields. The server decides and computes all of it again. */
const usd = (value) => value.toLocaleString("en-US", { style: "currency", currency: "USD" });

for (const form of document.querySelectorAll("form[data-auto]")) {
  const fields = form.elements;
  const show = () => {
    for (const out of form.querySelectorAll("[data-mirror]")) {
      const value = Number(fields[out.dataset.mirror].value);
      out.textContent = value > 0 ? usd(value) : "–";
    }
    form.querySelector("[data-below]").hidden = !(Number(form.dataset.available) < Number(fields.threshold.value));
  };
  form.addEventListener("input", show);
  addEventListener("pageshow", show);
  show();
}
