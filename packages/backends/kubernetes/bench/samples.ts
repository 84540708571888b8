/** `n` slices of `size` endpoints each, spread over so many services. */
export function manySlices(count: number, size: number, services: number) {
  return Array.from({ length: count }, (_, n) => ({
    metadata: {
      name: `web-${n % services}-${n}`,
      labels: { 'kubernetes.io/service-name': `web-${n % services}` },
    },
    addressType: 'IPv4',
    endpoints: Array.from({ length: size }, (_, index) => ({
      addresses: [`10.${Math.trunc(n / 200)}.${n % 200}.${index + 1}`],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'demo', name: `web-${n}-${index}` },
      nodeName: `node-${index}`,
      zone: `zone-${index % 3}`,
    })),
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  }));
}

export const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/demo/endpointslices';

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
