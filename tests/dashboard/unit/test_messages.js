import en from "/static/messages/en.js";
import de from "/static/messages/de.js";
import ptBR from "/static/messages/pt-BR.js";
import { ROUTES } from "/static/route.js";
import { t, useLanguage, words } from "/static/messages.js";
import { equal, ok, test } from "./run.js";

const holes = (message) => {
  const texts = typeof message === "string" ? [message] : Object.values(message);
  return texts.map((text) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort().join());
};
const all = (message) => [...new Set(holes(message))];

for (const [name, file] of Object.entries({ de, "pt-BR": ptBR })) {
  test(`${name} has the same keys as English, in the same order`, () => equal(Object.keys(file), Object.keys(en)));
  test(`${name} has the same holes as English`, () => {
    for (const [key, message] of Object.entries(en)) equal([key, all(file[key]).at(-1)], [key, all(message).at(-1)]);
  });
  test(`${name} has a form for every number`, () => {
    const categories = new Intl.PluralRules(name).resolvedOptions().pluralCategories;
    for (const [key, message] of Object.entries(file)) {
      const forms = typeof message === "string" ? [] : Object.keys(message);
      ok(typeof message === "string" || (forms.includes("other") && forms.every((form) => categories.includes(form))), key);
    }
  });
}
test("every page has a name", () => {
  for (const route of ROUTES) ok(route.nav in en, route.nav);
});
test("what fills a hole does not become a part of the sentence", async () => {
  await useLanguage("en");
  equal(t("find.none", { q: "{n}" }), "Nothing found for “{n}”");
  const [before, name, after] = words("find.none", { q: "<b>\u0007" });
  equal([before, name.type, name.props.children, after], ["Nothing found for “", "bdi", "<b>\u2407", "”"]);
});
