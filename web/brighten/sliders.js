// The sliders for how bright pictures become; the page and the extension's window have them.
//
// Both are in percent. The left end of the brightness leaves it to the network.

const AUTOMATIC = "Automatic";

/**
 * A slider, and what it stands for.
 * @template T
 * @typedef {{ value: T }} Control
 */

/**
 * The slider of the strength, from 0 to 2.
 * @param {HTMLInputElement} slider
 * @param {HTMLOutputElement} shown
 * @param {() => void} onChange called when the user has moved it
 * @returns {Control<number>}
 */
export function makeStrength(slider, shown, onChange) {
  Object.assign(slider, { min: "0", max: "200", step: "1" });
  return join(slider, shown, onChange, {
    toPercent: (strength) => 100 * strength,
    fromPercent: (percent) => percent / 100,
    inWords: (percent) => `${percent} %`,
  });
}

/**
 * The slider of the brightness, over 0 and under 1, or null.
 * @param {HTMLInputElement} slider
 * @param {HTMLOutputElement} shown
 * @param {() => void} onChange called when the user has moved it
 * @returns {Control<number | null>}
 */
export function makeBrightness(slider, shown, onChange) {
  Object.assign(slider, { min: "0", max: "99", step: "1" });
  return join(slider, shown, onChange, {
    toPercent: (brightness) => (brightness === null ? 0 : Math.max(1, 100 * brightness)),
    fromPercent: (percent) => (percent === 0 ? null : percent / 100),
    inWords: (percent) => (percent === 0 ? AUTOMATIC : `${percent} %`),
  });
}

/**
 * @template T
 * @param {HTMLInputElement} slider
 * @param {HTMLOutputElement} shown
 * @param {() => void} onChange
 * @param {object} scale
 * @param {(value: T) => number} scale.toPercent
 * @param {(percent: number) => T} scale.fromPercent
 * @param {(percent: number) => string} scale.inWords
 * @returns {Control<T>}
 */
function join(slider, shown, onChange, { toPercent, fromPercent, inWords }) {
  const show = () => {
    shown.value = inWords(Number(slider.value));
    slider.setAttribute("aria-valuetext", shown.value.replace("%", "percent"));
  };
  slider.addEventListener("input", () => {
    show();
    onChange();
  });
  return {
    get value() {
      return fromPercent(Number(slider.value));
    },
    set value(value) {
      slider.value = String(Math.round(toPercent(value)));
      show();
    },
  };
}
