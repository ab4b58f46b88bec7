/** The time, once a second, for texts such as "3 min ago" and for windows that close: the chain's, where that is ahead of ours. */

let ahead = 0;
const read = (): number => Date.now() / 1000 + ahead;
let seconds = $state(read());
setInterval(() => (seconds = read()), 1000);

export const clock = {
  get now(): number {
    return seconds;
  },
};

/** Learns the time of the chain's last block. One that is behind says nothing: blocks may be rare. */
export function keepTime(ofBlock: number): void {
  ahead = Math.max(ahead, ofBlock - Date.now() / 1000);
  seconds = read();
}
