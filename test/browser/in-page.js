// Runs in the page, as one expression: what the browser has made of it. See `page-facts.ts` for what it gives.
;(() => {
  const numbersIn = (color) => (color.match(/[\d.]+/g) ?? []).map(Number)
  /** Relative luminance of sRGB (WCAG 2.2). */
  const luminance = (color) => {
    const [red, green, blue] = numbersIn(color).map((part) => {
      const share = part / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const contrast = (one, other) => {
    const [darker, lighter] = [luminance(one), luminance(other)].sort((left, right) => left - right)
    return (lighter + 0.05) / (darker + 0.05)
  }
  const behind = (element) => {
    if (element === null) return 'rgb(255, 255, 255)'
    const { backgroundColor } = getComputedStyle(element)
    return numbersIn(backgroundColor)[3] === 0 ? behind(element.parentElement) : backgroundColor
  }
  const nameOf = (element) => `${element.tagName.toLowerCase()} ${element.textContent.trim().slice(0, 40)}`
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '')
  const all = [...document.querySelectorAll('main, main *:not(input[type=hidden])')]
  const controls = all.filter(({ tagName }) => tagName === 'INPUT' || tagName === 'BUTTON')
  const { activeElement } = document
  return {
    focus: {
      name: (activeElement.labels?.[0] ?? activeElement).textContent,
      outline: getComputedStyle(activeElement).outlineStyle,
    },
    width: document.documentElement.scrollWidth,
    controlHeights: controls.map((element) => element.getBoundingClientRect().height),
    texts: all
      .filter((element) => hasText(element) || element.tagName === 'INPUT')
      .map((element) => ({
        of: nameOf(element),
        contrast: contrast(getComputedStyle(element).color, behind(element)),
      })),
    borders: controls.map((element) => ({
      of: nameOf(element),
      contrast: contrast(getComputedStyle(element).borderTopColor, behind(element.parentElement)),
    })),
    ground: luminance(behind(document.querySelector('main'))),
  }
})()
