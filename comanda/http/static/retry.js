// Whether and when a failed order is tried again by itself, by the phone of whoever placed it (PROTOCOL,
// "What a client does"). Pure.

/** Seconds from the failure to the retry that `lastOrder` deserves; null where it deserves none. */
export function retryWaitSeconds(lastOrder, settings, secondsToFailure) {
  if (lastOrder.status !== "failed" || !lastOrder.allow_retry) return null;
  if (lastOrder.tries > settings.retry_limit || secondsToFailure >= settings.order_timeout_seconds) return null;
  return settings.retry_delay_seconds * 2 ** (lastOrder.tries - 1); // `tries` counts on every device
}
