/** What a place of the slider asks for. */

import { expect, test } from "vitest";

import { confidenceAt, placeOf, SLIDER } from "../src/lib/order";

test("each step of the slider asks for more than the one before, and is found again from the URL", () => {
  let before = 0;
  for (let place = SLIDER.from; place <= SLIDER.to; place++) {
    const confidence = confidenceAt(place);
    expect(confidence, `place ${place}`).toBeGreaterThan(before);
    expect(placeOf(confidence), `confidence ${confidence}`).toBe(place);
    before = confidence;
  }
});

test("each tenfold is an equal way, and its end says what can be said of it", () => {
  expect([10, 20, 30, 40, 50, 60].map(confidenceAt)).toEqual([9, 99, 999, 9_999, 99_999, 999_999]);
  expect([11, 15, 23, 37].map(confidenceAt)).toEqual([13, 32, 200, 5_000]);
  expect([1, 9, 5_000_000].map(placeOf)).toEqual([SLIDER.from, SLIDER.from, SLIDER.to]);
});
