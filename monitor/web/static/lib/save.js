// Takes a picture or figures home.

/** Save a blob as a file of a name and an ending. */
export function save(blob, name, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 120)}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Save columns `[[name, values]]` as CSV. */
export function saveCsv(columns, name) {
  const rows = columns[0][1].map((_, index) => columns.map(([, values]) => cell(values[index])).join(","));
  save(new Blob([[columns.map(([header]) => cell(header)).join(","), ...rows].join("\r\n"), "\r\n"], { type: "text/csv" }), name, "csv");
}

// A spreadsheet runs what begins with one of = + - @: names are hostile, numbers are not.
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Save a canvas as a picture, with a title above it, on the ground of the page. */
export function savePicture(canvas, { title, ground, ink, labels = null }) {
  const scale = devicePixelRatio || 1, head = 34 * scale, margin = labels ? 190 * scale : 0;
  const whole = document.createElement("canvas");
  whole.width = canvas.width + margin;
  whole.height = canvas.height + head;
  const pen = whole.getContext("2d");
  pen.fillStyle = ground;
  pen.fillRect(0, 0, whole.width, whole.height);
  pen.fillStyle = ink;
  pen.font = `600 ${15 * scale}px system-ui, sans-serif`;
  pen.fillText(title, 8 * scale, 22 * scale, whole.width - 16 * scale);
  pen.font = `${12 * scale}px system-ui, sans-serif`;
  labels?.names.forEach((name, index) => pen.fillText(name, 8 * scale, head + (labels.top + (index + 0.7) * labels.height) * scale, margin - 16 * scale));
  pen.drawImage(canvas, margin, head);
  whole.toBlob((blob) => save(blob, title, "png"), "image/png");
}
