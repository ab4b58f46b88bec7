/** The time, once a second, for texts such as "3 min ago". */

let seconds = $state(Date.now() / 1000);
setInterval(() => (seconds = Date.now() / 1000), 1000);

export const clock = {
  get now(): number {
    return seconds;
  },
};
