/* What the gates ask a page. Each function is evaluated in it by name. */
({
  /* Everything that the strict policy forbids to stand in a page. */
  inline: () => [...document.querySelectorAll("[style]:not(canvas), style, script:not([src], [type='application/json'])")]
    .concat([...document.querySelectorAll("*")].filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))))
    .map((e) => e.outerHTML.slice(0, 80)),

  /* What makes the page scroll sideways. */
  wide: () => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const beyond = (e) => e.getBoundingClientRect().right > clientWidth && !e.closest(".scroll, .tabs, pre");
    if (scrollWidth <= clientWidth) return [];
    return [`${scrollWidth} px`, ...[...document.querySelectorAll("body *")].filter(beyond).slice(-3).map((e) => e.outerHTML.slice(0, 80))];
  },

  /* How many stops the Tab key should make: a group of radio buttons is one. */
  stops: () => {
    const groups = new Set();
    return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
      .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled)
      .filter((e) => e.type !== "radio" || (!groups.has(e.name) && groups.add(e.name))).length;
  },

  /* Where the focus is now: [its name, whether a ring shows, its markup]. */
  focus: () => {
    const e = document.activeElement;
    if (!e || e === document.body || e.id === "main") return null;
    e.dataset.stop ||= String(Math.random());
    const ring = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const box = e.closest(".chips label, .options label") || e;
    const visible = ring(getComputedStyle(box)) || ring(getComputedStyle(e, "::after"));
    return [e.type === "radio" ? `radio ${e.name}` : e.dataset.stop, visible, e.outerHTML.slice(0, 90)];
  },

  /* Controls too small for a finger (WCAG 2.2: 24 pixels). */
  small: () => [...document.querySelectorAll("main button, main .btn, main input, main select, .top .btn, main summary")]
    .filter((e) => e.checkVisibility() && !e.closest("label"))
    .filter((e) => Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height) < 24)
    .map((e) => e.outerHTML.slice(0, 80)),

  /* Every chart: what it draws, what its table says, both in cents. */
  charts: () => [...document.querySelectorAll(".plot canvas")].map((canvas) => {
    const cents = (text) => text.startsWith("<") ? 0 : Math.round(Number(text.replace(/[^0-9.]/g, "")) * 100);
    const rows = [...document.querySelectorAll(`#${canvas.parentElement.dataset.table} tbody tr`)];
    return {
      drawn: Chart.getChart(canvas).data.datasets.map((set) => set.data.map((value) => Math.round(value * 100))),
      table: rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cents(cell.textContent))),
    };
  }),
})
