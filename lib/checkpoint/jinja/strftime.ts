const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/** A time of the local clock as Python's `strftime` writes it, in the C locale. */
export function strftime(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const dayOfYear = Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 0)) / 86_400_000);
  const hour12 = date.getHours() % 12 || 12;
  const parts: Readonly<Record<string, () => string>> = {
    Y: () => String(date.getFullYear()), y: () => two(date.getFullYear() % 100), C: () => two(Math.floor(date.getFullYear() / 100)),
    m: () => two(date.getMonth() + 1), B: () => months[date.getMonth()]!, b: () => months[date.getMonth()]!.slice(0, 3), h: () => months[date.getMonth()]!.slice(0, 3),
    d: () => two(date.getDate()), e: () => String(date.getDate()).padStart(2), j: () => String(dayOfYear).padStart(3, "0"),
    A: () => days[date.getDay()]!, a: () => days[date.getDay()]!.slice(0, 3), w: () => String(date.getDay()), u: () => String(date.getDay() || 7),
    H: () => two(date.getHours()), I: () => two(hour12), M: () => two(date.getMinutes()), S: () => two(date.getSeconds()), p: () => (date.getHours() < 12 ? "AM" : "PM"),
    f: () => String(date.getMilliseconds() * 1000).padStart(6, "0"), s: () => String(Math.floor(date.getTime() / 1000)),
    U: () => two(Math.floor((dayOfYear + 6 - date.getDay()) / 7)), W: () => two(Math.floor((dayOfYear + 6 - ((date.getDay() + 6) % 7)) / 7)),
    F: () => strftime(date, "%Y-%m-%d"), T: () => strftime(date, "%H:%M:%S"), D: () => strftime(date, "%m/%d/%y"), R: () => strftime(date, "%H:%M"),
    c: () => strftime(date, "%a %b %e %H:%M:%S %Y"), x: () => strftime(date, "%m/%d/%y"), X: () => strftime(date, "%H:%M:%S"),
    z: () => "", Z: () => "", n: () => "\n", t: () => "\t", "%": () => "%",
  };
  return format.replace(/%-?(.)/gs, (all, letter: string) => {
    const part = Object.hasOwn(parts, letter) ? parts[letter]!() : all;
    // `%-d` is without the zero.
    return all[1] === "-" ? part.replace(/^0+(?=\d)/, "") : part;
  });
}
