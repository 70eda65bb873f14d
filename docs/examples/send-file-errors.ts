import { isSocketError, Socket } from '@sock/core';

const [near, far] = Socket.pair();

for (const path of ['/no/such/file', '/tmp']) {
  try {
    await near.sendFileAll(path);
  } catch (error) {
    if (!isSocketError(error)) throw error;
    console.log(`${error.code} ${error.path}, after ${error.bytesTransferred} bytes`);
  }
}

near.close();
far.close();
