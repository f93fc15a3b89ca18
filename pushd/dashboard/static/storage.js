/**
 * What this browser keeps: choices of the person, never a secret; and what a tab keeps, which a reload does not lose and
 * other tabs do not see. A browser that keeps nothing is no error.
 */

const PREFIX = "pushd.";

/**
 * What was saved under a name; null: nothing.
 * @param {string} name
 * @returns {string | null}
 */
export function load(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function save(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // storage is full or forbidden: the choice holds until the page is closed
  }
}

/**
 * What this tab has under a name; null: nothing.
 * @param {string} name
 * @returns {string | null}
 */
export function loadInTab(name) {
  try {
    return sessionStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function saveInTab(name, value) {
  try {
    sessionStorage.setItem(PREFIX + name, value);
  } catch {
    // it holds until the page is loaded again
  }
}

/** @param {string} name */
export function forgetInTab(name) {
  try {
    sessionStorage.removeItem(PREFIX + name);
  } catch {
    // nothing was kept
  }
}
