/** As in node:net, whose import would cost the start of every program some milliseconds. */
import { binding } from '@sock/native';

/** 4 or 6 for a literal address (IPv6 with or without a zone), else 0. */
export function isIP(text: string): 0 | 4 | 6 {
  return binding.addressFamily(text);
}

export function isIPv4(text: string): boolean {
  return isIP(text) === 4;
}
