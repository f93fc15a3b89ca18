/** Runs the tests of a module: `test(story, check)`, where a check fails by an error. */

const stories = [];

export function test(story, check) {
  stories.push([story, check]);
}

export function equal(found, expected) {
  const [one, other] = [found, expected].map((value) => JSON.stringify(value) ?? String(value));
  if (one !== other) throw new Error(`${one} is not ${other}`);
}

export function ok(value, what = "a condition is false") {
  if (!value) throw new Error(what);
}

/** Wait until everything that can go on has done so. */
export async function settled() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

export async function run(module) {
  await import(`./${module}`);
  const failures = [];
  for (const [story, check] of stories) {
    try {
      await check();
    } catch (error) {
      failures.push(`${story}: ${error.message}`);
    }
  }
  return { stories: stories.map(([story]) => story), failures };
}
