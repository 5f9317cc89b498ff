/**
 * The disk as the stores use it: the few operations of `node:fs/promises` on which their promises rest, by the same names.
 * The default is the machine's own. Another one is the simulated disk (`src/testing/faults/`), which loses what was not
 * synced, tears what was being written, and is full or slow when it is told to.
 *
 *   a new file in the place of an old one    open 'w' aside → writeFile → sync → rename → syncDirectory
 *   one more line, acknowledged              open → write at a position (or appendFile) → sync
 *   one of several may have it               writeFile aside → link
 */
import { appendFile, link, mkdir, open, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'

export interface DiskFile {
  stat(): Promise<{ readonly size: number }>
  /** Into `buffer` from `offset` on; `position` null: where the last one ended. */
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ readonly bytesRead: number; readonly buffer: Buffer }>
  /** All that is behind where the last read ended. */
  readFile(): Promise<Buffer>
  /** May write less than it was given and call it a success, where the disk is full. */
  write(bytes: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>
  /** Behind what was written before, and all of it. */
  writeFile(bytes: Buffer): Promise<void>
  /** At the end of a file that was opened to be appended to. */
  appendFile(bytes: Buffer | string): Promise<void>
  truncate(length: number): Promise<void>
  /** From then on its bytes are there after a crash; its name is once its directory is synced. */
  sync(): Promise<void>
  close(): Promise<void>
}

export type OpenFlags = 'r' | 'r+' | 'w' | 'a+' | 'ax'

export interface Disk {
  mkdir(path: string, options: { readonly recursive: true; readonly mode?: number }): Promise<unknown>
  readdir(path: string): Promise<string[]>
  /** Rejects with the code ENOENT where there is no such file. */
  readFile(path: string): Promise<Buffer>
  open(path: string, flags: OpenFlags, mode?: number): Promise<DiskFile>
  /** Made where it is not there; not synced. */
  writeFile(path: string, text: string, options: { readonly mode: number }): Promise<void>
  appendFile(path: string, text: string, options?: { readonly mode: number }): Promise<void>
  /** In the place of what has that name. */
  rename(from: string, to: string): Promise<void>
  /** Rejects with the code EEXIST where something has that name. */
  link(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  stat(path: string): Promise<{ readonly size: number; readonly mtimeMs: number }>
}

export const machineDisk: Disk = {
  ...{ mkdir, appendFile, link, rename, stat, unlink, writeFile, open },
  readdir: path => readdir(path),
  readFile: path => readFile(path),
}
