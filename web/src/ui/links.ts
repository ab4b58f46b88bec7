/** Addresses of our own pages, in one place. */

import type { Numeric } from "../api/types";

export const dealLink = (deal: string): string => `/deals/${deal}`;
export const taskLink = (deal: string, task: number): string => `/deals/${deal}/tasks/${task}`;
export const batchLink = (deal: string, batch: number): string => `/deals/${deal}/batches/${batch}`;
export const workerLink = (worker: string): string => `/workers/${worker}`;
export const poolLink = (pool: number): string => `/pools/${pool}`;
export const assetLink = (kind: "app" | "dataset", id: Numeric): string => `/market/${kind}s/${id}`;
