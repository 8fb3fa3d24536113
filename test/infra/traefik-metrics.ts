/**
 * Traefik's metrics for Prometheus with their labels: doc.traefik.io/traefik/v3.5/observability/metrics/overview, held
 * against what a Traefik 3.6 really showed. With addRoutersLabels, which docker-compose.yml sets.
 */
const HTTP = ['code', 'method', 'protocol']
const TLS = ['tls_version', 'tls_cipher']

export const TRAEFIK: Record<string, { type: 'counter' | 'gauge' | 'histogram'; labels: string[] }> = {
  traefik_config_reloads_total: { type: 'counter', labels: [] },
  traefik_config_last_reload_success: { type: 'gauge', labels: [] },
  traefik_open_connections: { type: 'gauge', labels: ['entrypoint', 'protocol'] },
  traefik_tls_certs_not_after: { type: 'gauge', labels: ['cn', 'sans', 'serial'] },
  traefik_entrypoint_requests_total: { type: 'counter', labels: [...HTTP, 'entrypoint'] },
  traefik_entrypoint_requests_tls_total: { type: 'counter', labels: [...TLS, 'entrypoint'] },
  traefik_entrypoint_request_duration_seconds: { type: 'histogram', labels: [...HTTP, 'entrypoint'] },
  traefik_entrypoint_requests_bytes_total: { type: 'counter', labels: [...HTTP, 'entrypoint'] },
  traefik_entrypoint_responses_bytes_total: { type: 'counter', labels: [...HTTP, 'entrypoint'] },
  traefik_router_requests_total: { type: 'counter', labels: [...HTTP, 'router', 'service'] },
  traefik_router_request_duration_seconds: { type: 'histogram', labels: [...HTTP, 'router', 'service'] },
  traefik_service_requests_total: { type: 'counter', labels: [...HTTP, 'service'] },
  traefik_service_request_duration_seconds: { type: 'histogram', labels: [...HTTP, 'service'] },
  traefik_service_retries_total: { type: 'counter', labels: ['service'] },
}
