// Ages in words, as core/texts says them: minutes, hours and minutes, from a day on whole hours, from two on days.
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

export function age(texts, ms) {
  const minutes = Math.floor(Math.max(0, ms) / 60000);
  if (minutes < 60) return fill(texts["age.minutes"], { minutes });
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return fill(texts["age.days"], { days: Math.floor(hours / 24) });
  return fill(texts[minutes % 60 && hours < 24 ? "age.hours" : "age.hours.whole"], { hours, minutes: minutes % 60 });
}

export function words(texts, form, ms) {
  if (form === "stale") return fill(texts.stale, { age: age(texts, ms) });
  return ms < 60000 ? texts["ago.now"] : fill(texts.ago, { age: age(texts, ms) });
}
