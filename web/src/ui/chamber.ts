/** Where the seats of a council chamber stand: half circles, the first row the innermost, filled evenly. */

export interface Seat {
  readonly x: number;
  readonly y: number;
}

export const CHAMBER = { width: 400, height: 216, seat: 13 } as const;
const CENTRE = { x: 200, y: 196 };
const ROWS = [[170], [128, 176], [104, 142, 180]] as const;

/** Places of so many seats, from the left end of the half circle to the right one. */
export function chamberSeats(count: number): Seat[] {
  const radii = ROWS[count <= 11 ? 0 : count <= 24 ? 1 : 2]!;
  const length = radii.reduce((sum, radius) => sum + radius, 0);
  let left = count;
  const seats = radii.flatMap((radius, row) => {
    const here = row === radii.length - 1 ? left : Math.round((count * radius) / length);
    left -= here;
    return Array.from({ length: here }, (_, at) => {
      const angle = Math.PI * (1 - (here === 1 ? 0.5 : at / (here - 1)));
      return { angle, x: CENTRE.x + radius * Math.cos(angle), y: CENTRE.y - radius * Math.sin(angle) };
    });
  });
  return seats.sort((a, b) => b.angle - a.angle).map(({ x, y }) => ({ x, y }));
}
