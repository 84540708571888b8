/**
 * The revision of the store at which something was read. API servers have always compared them as whole numbers and
 * since 1.35 promise so; what is none of these is passed on as it came and compares with nothing.
 */
export function isOlder(version: string, than: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return false;
  const [left, right] = [version.replace(/^0+/, ''), than.replace(/^0+/, '')];
  return left.length === right.length ? left < right : left.length < right.length;
}
