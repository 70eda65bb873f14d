// Bun hands out how many bytes the kernel took, so the rest waits in `socket.data.pending`.
export function write(socket, chunk) {
  const { pending } = socket.data;
  if (pending.length > 0) {
    pending.push(chunk);
    return;
  }
  const written = socket.write(chunk);
  if (written < chunk.length) pending.push(chunk.subarray(Math.max(0, written)));
}

export function drain(socket) {
  const pending = socket.data.pending.splice(0);
  for (const chunk of pending) write(socket, chunk);
}
