// What Grafana's published types say of dashboards: a mistake a line on stdout, after the path of its file.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	known := cog.NewRuntime()
	for _, panel := range []variants.PanelcfgConfig{stat.VariantConfig(), table.VariantConfig(), timeseries.VariantConfig()} {
		known.RegisterPanelcfgVariant(panel)
	}
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	for _, path := range os.Args[1:] {
		content, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		var read dashboard.Dashboard
		report(path, read.UnmarshalJSONStrict(content))
		report(path, read.Validate())
	}
}

// An error without a text is how the validation says that there is none.
func report(path string, mistakes error) {
	if mistakes == nil {
		return
	}
	for _, mistake := range strings.Split(mistakes.Error(), "\n") {
		if mistake != "" {
			fmt.Printf("%s: %s\n", path, mistake)
		}
	}
}
