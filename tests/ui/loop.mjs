/** Answers one JSON line, the result of a function of the driver, for each line [name, ...arguments]. */
import { createInterface } from 'node:readline';

const driver = await import(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...values] = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await driver[name](...values)) ?? null };
  } catch (error) {
    answer = { error: error.stack };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
