// Draws each specification of the page by Vega-Lite: as SVG, whose colours are the page's own, and without eval.
(() => {
  const axis = { labelColor: "var(--ink)", titleColor: "var(--ink)", domainColor: "var(--edge)", tickColor: "var(--edge)", gridColor: "var(--line)" };
  const config = {
    font: "system-ui, sans-serif",
    background: null,
    axis: { ...axis, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    legend: { labelColor: "var(--ink)", labelFontSize: 12 },
    view: { stroke: null },
  };
  const options = {
    actions: false,
    ast: true,
    config,
    defaultStyle: false,
    renderer: "svg",
    tooltip: { theme: "custom", disableDefaultStyle: true },
  };
  for (const figure of document.querySelectorAll("figure.plot")) {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    vegaEmbed(figure.querySelector(".drawing"), spec, options);
  }
})();
