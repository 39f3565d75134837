/* Add funds: the summary follows the choice. The server decides and computes all of it again. */
const usd = (value) => value.toLocaleString("en-US", { style: "currency", currency: "USD" });

for (const form of document.querySelectorAll("form[data-topup]")) {
  const { amount: other, preset } = form.elements;
  const balance = Number(form.dataset.balance), pace = Number(form.dataset.pace);
  const texts = (amount) => ({
    amount: usd(amount),
    balance: usd(balance + amount),
    days: pace > 0 ? `about ${Math.floor((balance + amount) / pace).toLocaleString("en-US")} days` : "–",
  });
  const show = () => {
    const amount = Number(other.value.trim() || preset.value);
    const fits = amount >= Number(form.dataset.min) && amount <= Number(form.dataset.max);
    for (const out of form.querySelectorAll("[data-out]")) out.textContent = fits ? texts(amount)[out.dataset.out] : "–";
    form.querySelector("[data-pay]").textContent = fits ? `Pay ${usd(amount)}` : "Pay";
  };
  const radios = [...form.querySelectorAll("[name=preset]")];
  other.addEventListener("input", () => { if (other.value) for (const radio of radios) radio.checked = false; show(); });
  for (const radio of radios) radio.addEventListener("change", () => { other.value = ""; show(); });
  addEventListener("pageshow", show);
  show();
}
