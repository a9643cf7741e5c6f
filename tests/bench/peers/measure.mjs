// Times of batches, after enough of them for the compiler to have seen what it needs.
function batch(work, size) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < size; i++) work();
  return Number(process.hrtime.bigint() - start) / 1000 / size;
}

// Median and least of `rounds` batches, microseconds of one piece of work.
export function measure(work, size, rounds) {
  batch(work, (size * rounds) / 2);
  const times = Array.from({ length: rounds }, () => batch(work, size)).sort((a, b) => a - b);
  return { median: times[Math.floor(rounds / 2)], least: times[0] };
}

// The same of work that is promised.
export async function measurePromised(work, rounds) {
  const times = [];
  for (let i = 0; i < rounds * 2; i++) {
    const start = process.hrtime.bigint();
    await work();
    if (i >= rounds) times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(rounds / 2)], least: times[0] };
}
