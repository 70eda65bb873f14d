/** A part of a file in the queue of a sender. */
import { binding, Control, Errno, forgetTask, watchTask } from '@sock/native';
import { type SocketError, systemError } from './errors.js';
import { type FileRange, type FileSource, fileError, tooShortError } from './file-source.js';
import { SendOperation } from './send-operations.js';

const { closeFile, control, openFile, sendFile } = binding;
const { EAGAIN, EFAULT, EINPROGRESS } = Errno;
const noBytes = new Uint8Array(0);

export class FileOperation extends SendOperation {
  /** What {@link Sender} is to be told when the file can go on. */
  onReady: () => void = () => {};
  private readonly source: FileSource;
  private readonly task: number;
  private waitsForFile = false;
  private faulty = false;
  private tooShort = false;

  /** Throws what stands in the way of reading the file; with `wait` a path is opened later. */
  constructor(
    resolve: (sent: number) => void,
    reject: (error: unknown) => void,
    source: FileSource,
    { offset, length }: FileRange,
    { all, wait }: { all: boolean; wait: boolean },
  ) {
    super(resolve, reject, noBytes, length, all);
    this.source = source;
    const toEnd = length === Number.POSITIVE_INFINITY;
    this.task = openFile(source.path ?? source.fd, offset, toEnd ? -1 : length, wait);
    if (this.task < 0) throw fileError(this.task, source);
    watchTask(this.task, () => {
      this.waitsForFile = false;
      this.onReady();
    });
  }

  override get syscall(): string {
    return 'sendfile';
  }

  /** Nothing of it is in memory. */
  override get queued(): number {
    return 0;
  }

  override get stalled(): boolean {
    return this.waitsForFile;
  }

  override get isDetached(): boolean {
    return false;
  }

  override transmit(slot: number, generation: number, wait: boolean, mayBlock: boolean): number {
    const goOn = this.all && !mayBlock;
    const sent = sendFile(slot, generation, this.task, wait, mayBlock, goOn);
    this.waitsForFile = sent === -EINPROGRESS;
    if (this.waitsForFile) return -EAGAIN;
    this.faulty = sent < 0 && control[Control.Syscall] !== 0;
    if (sent !== 0) return sent;
    if (this.all && this.length !== Number.POSITIVE_INFINITY) {
      this.tooShort = true;
      return -EFAULT;
    }
    // The end of the file is where this send ends.
    this.length = this.sent;
    return 0;
  }

  override isOwnFault(): boolean {
    return this.faulty || this.tooShort;
  }

  override errorFor(errno: number, bytesTransferred: number): SocketError {
    if (this.tooShort) return tooShortError(this.length, bytesTransferred);
    if (this.faulty) return fileError(errno, this.source, bytesTransferred);
    return systemError(errno, { syscall: 'sendfile', bytesTransferred });
  }

  override finish(): void {
    this.release();
    super.finish();
  }

  override reject(error: unknown): void {
    this.release();
    super.reject(error);
  }

  /** Nothing more is sent of it. */
  release(): void {
    forgetTask(this.task);
    closeFile(this.task);
  }
}
