// A zip file made in the browser: pictures are compressed already, so they are stored as they are.

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

/** The CRC-32 of bytes, as zip and PNG know it. */
function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** Date and time as MS-DOS counted them: in steps of two seconds, from 1980. */
function dosTime(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = (Math.max(0, date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [time, day];
}

/** Bytes from pairs of [size in bytes, value], little endian. */
function record(...fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

/** The fields that a file's own header and its line in the directory have in common. */
function facts(name, bytes, date) {
  const [time, day] = dosTime(date);
  const UTF8_NAME = 0x0800;
  return [[2, 20], [2, UTF8_NAME], [2, 0], [2, time], [2, day], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, name.length], [2, 0]];
}

/** Names that differ: `a.png` twice becomes `a.png` and `a-2.png`, also where only capitals differ. */
function distinct(names) {
  const taken = new Set();
  return names.map((name) => {
    const [, front, ending] = /^(.*?)(\.[^.]*)?$/s.exec(name);
    let chosen = name;
    for (let number = 2; taken.has(chosen.toLowerCase()); number += 1) chosen = `${front}-${number}${ending ?? ""}`;
    taken.add(chosen.toLowerCase());
    return chosen;
  });
}

/** Pack `[{name, blob}, …]` into one zip Blob. */
export async function zip(files) {
  const date = new Date();
  const parts = [];
  const directory = [];
  const names = distinct(files.map((file) => file.name));
  let offset = 0;
  for (const [index, file] of files.entries()) {
    const name = new TextEncoder().encode(names[index]);
    const bytes = new Uint8Array(await file.blob.arrayBuffer());
    const shared = facts(name, bytes, date);
    const header = record([4, 0x04034b50], ...shared);
    parts.push(header, name, bytes);
    directory.push(record([4, 0x02014b50], [2, 20], ...shared, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), name);
    offset += header.length + name.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = files.length;
  const end = record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
