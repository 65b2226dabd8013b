module leeway/oracle

go 1.25.0

require github.com/prometheus/alertmanager v0.28.1
