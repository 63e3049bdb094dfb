// Ages in words, as core/texts says them: minutes, hours and minutes, from a day on whole hours, from two on days; of silence hours alone.
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

export function age(texts, ms) {
  const minutes = Math.floor(Math.max(0, ms) / 60000);
  if (minutes < 60) return fill(texts["age.minutes"], { minutes });
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return fill(texts["age.days"], { days: Math.floor(hours / 24) });
  return fill(texts[minutes % 60 && hours < 24 ? "age.hours" : "age.hours.whole"], { hours, minutes: minutes % 60 });
}

// The wall clock there: `offset` [ms] is how far it is ahead of UTC.
export function printed(texts, at, offset) {
  const there = new Date(at + offset).toISOString();
  const [year, month, day] = there.slice(0, 10).split("-");
  return fill(texts["page.printed"], { time: there.slice(11, 16).replace(/^0/, ""), date: fill(texts["date.full"], { year, month, day }) });
}

export function words(texts, form, ms) {
  if (form === "silent") {
    const hours = Math.floor(Math.max(0, ms) / 3600000);
    return hours >= 48 ? fill(texts["alert.silent.days"], { days: Math.floor(hours / 24) }) : fill(texts["alert.silent.hours"], { hours });
  }
  if (form === "stale") return fill(texts.stale, { age: age(texts, ms) });
  return ms < 60000 ? texts["ago.now"] : fill(texts.ago, { age: age(texts, ms) });
}
