() => {
  // Texts of the page that stand out too little from what is behind them: WCAG 2.2, 1.4.3 (AA).
  const parsed = (text) => {
    const [r, g, b, a = 1] = (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    return text.startsWith("color(srgb") ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, index) => value * a + under[index] * (1 - a));
  const behind = (one) => {
    if (!one) return [255, 255, 255];
    const colour = parsed(getComputedStyle(one).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, behind(one.parentElement));
  };
  const opacity = (one) => (one ? Number(getComputedStyle(one).opacity) * opacity(one.parentElement) : 1);
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join(" ").trim();
    const box = one.getBoundingClientRect();
    if (!text || !box.width || !box.height || one.closest("[disabled], .visually, noscript") || one.tagName === "OPTION") continue;
    const style = getComputedStyle(one);
    const under = behind(one);
    const [r, g, b, a] = parsed(one.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [light, dark] = [luminance(over([r, g, b, a * opacity(one)], under)), luminance(under)].sort((p, q) => q - p);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}
