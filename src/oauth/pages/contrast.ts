/** WCAG 2.2, 1.4.3: the least contrast of text with what is behind it. */
const CONTRAST_MIN = 4.5
/** WCAG 2.2, 1.4.11: the least contrast of what has to be seen to be used. */
const SHAPE_CONTRAST_MIN = 3

/** The text colour that can be read on this colour, `#rrggbb`; undefined when neither black nor white can. */
export function readableOn(color: string): '#ffffff' | '#000000' | undefined {
  const behind = luminance(color)
  if (contrast(1, behind) >= CONTRAST_MIN) return '#ffffff'
  return contrast(0, behind) >= CONTRAST_MIN ? '#000000' : undefined
}

/** Whether a shape of this colour can be seen on the ground (WCAG 2.2, 1.4.11). */
export function isVisibleOn(ground: string, color: string): boolean {
  return contrast(luminance(color), luminance(ground)) >= SHAPE_CONTRAST_MIN
}

function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
}

/** Relative luminance of sRGB (WCAG 2.2). */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(color.slice(start, start + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
