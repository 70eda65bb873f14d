// The C loop of c/server_tls.c inside this process, on the OpenSSL of this node. It answers the
// commands on stdin by itself, and does not return.
import process from 'node:process';
import { fileURLToPath } from 'node:url';

process.env.SOCK_BENCH_ARGUMENTS = process.argv.slice(2).join('\n');
process.dlopen(
  { exports: {} },
  fileURLToPath(new URL('../build/server_tls.node', import.meta.url)),
);
