// Writes native/src/tls/openssl_weak.h: every function of OpenSSL that the addon uses, declared
// weak. Run it when the sources have begun to use another one; a test sees when it was forgotten.
//
// The names come from the compiled addon: half of what the sources call are macros over others.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const native = fileURLToPath(new URL('../native', import.meta.url));
const addon = `${native}/build/Release/sock_native.node`;

const names = execFileSync('nm', ['--dynamic', '--undefined-only', addon], { encoding: 'utf8' })
  .split('\n')
  .map((line) => line.trim().split(' ')[1] ?? '')
  .filter(
    (name) =>
      /^(ASN1|BIO|CRYPTO|EC|ERR|EVP|OBJ|OCSP|OPENSSL|OSSL|PEM|PKCS|RAND|SSL|TLS|X509)/i.test(
        name,
      ) || /^[di]2[id]_/.test(name),
  )
  .sort();

const text = `// Written by tools/openssl-weak.mjs.
#pragma once

${names.map((name) => `#pragma weak ${name}\n`).join('')}`;
writeFileSync(`${native}/src/tls/openssl_weak.h`, text);
console.log(`${names.length} functions`);
