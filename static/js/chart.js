/* Stacked daily bars. The table beside the canvas is the only source of numbers, names and colours.
   Needs vendor/chartjs before it. */
const css = (element, property) => getComputedStyle(element)[property];
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const usd = (value, digits = 2) => value.toLocaleString("en-US", {
  style: "currency", currency: "USD", minimumFractionDigits: digits, maximumFractionDigits: digits,
});
const SHAPES = { chat: "rect", voice: "circle", knowledge: "rectRot" };

function datasets(box, table) {
  const rows = all("tbody tr", table);
  return all("thead th[data-series]", table).map((head, index) => {
    const colour = css(head.querySelector(".sw"), "backgroundColor");
    return {
      label: head.textContent.trim(),
      shown: rows.map((row) => all("td[data-v]", row)[index].textContent),
      totals: rows.map((row) => row.lastElementChild.textContent),
      data: rows.map((row) => Number(all("td[data-v]", row)[index].dataset.v)),
      backgroundColor: colour, hoverBackgroundColor: colour,
      borderColor: css(box, "backgroundColor"), borderWidth: { top: 1 }, borderSkipped: false, borderRadius: 2,
      maxBarThickness: 22, categoryPercentage: 0.86, barPercentage: 0.9, shape: SHAPES[head.dataset.series],
    };
  });
}

function scales(box) {
  const line = css(box, "borderTopColor");
  const ticks = { color: css(box, "color"), font: { size: 12 } };
  const step = (value) => usd(value, value % 1 ? Math.max(2, Math.ceil(-Math.log10(value))) : 0);
  return {
    x: { stacked: true, grid: { display: false }, border: { color: line }, ticks: { ...ticks, maxRotation: 0, autoSkipPadding: 24 } },
    y: { stacked: true, border: { display: false }, grid: { color: line, drawTicks: false }, ticks: { ...ticks, maxTicksLimit: 5, padding: 8, callback: step } },
  };
}

function tooltip(box) {
  const on = css(box, "backgroundColor");
  return {
    backgroundColor: css(document.body, "color"), titleColor: on, bodyColor: on, footerColor: on,
    padding: 12, cornerRadius: 9, boxPadding: 6, usePointStyle: true, titleMarginBottom: 8, footerMarginTop: 8,
    itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
    callbacks: {
      labelPointStyle: (item) => ({ pointStyle: item.dataset.shape ?? "rect", rotation: 0 }),
      label: (item) => ` ${item.dataset.label}  ${item.dataset.shown[item.dataIndex]}`,
      footer: ([item]) => `Total  ${item.dataset.totals[item.dataIndex]}`,
    },
  };
}

function draw(box) {
  const table = document.getElementById(box.dataset.table);
  const canvas = box.querySelector("canvas");
  Chart.getChart(canvas)?.destroy();
  Chart.defaults.font.family = css(document.body, "fontFamily");
  new Chart(canvas, {
    type: "bar",
    data: { labels: all("tbody th", table).map((cell) => cell.textContent.trim()), datasets: datasets(box, table) },
    options: {
      maintainAspectRatio: false, animation: false, interaction: { mode: "index", intersect: false },
      scales: scales(box), plugins: { legend: { display: false }, tooltip: tooltip(box) },
    },
  });
  box.dataset.ready = "";
}

const boxes = all(".plot[data-table]");
const redraw = () => boxes.filter((box) => "ready" in box.dataset).forEach(draw);
const onScreen = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((seen) => seen.isIntersecting)) { onScreen.unobserve(entry.target); draw(entry.target); }
}, { rootMargin: "200px" });
document.fonts.ready.then(() => boxes.forEach((box) => onScreen.observe(box)));
document.addEventListener("redraw", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
