import {
  ConsoleMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { connect } from '@sock/core';
import { collectSockMetrics } from '@sock/metrics/opentelemetry';

const reader = new PeriodicExportingMetricReader({ exporter: new ConsoleMetricExporter() });
const provider = new MeterProvider({ readers: [reader] });
collectSockMetrics({ meter: provider.getMeter('my-service') });

await connect({ path: '@sock-docs-nobody' }).catch(() => {});
await provider.shutdown();
