// What Alertmanager's own code answers: a question a line on stdin, an answer a line on stdout.
//
// Scripts of hours run at once: the packages are Alertmanager's, and the clock is a synctest bubble's.
package oracle

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"sort"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/alertmanager/types"
)

type question struct {
	Matchers *string             `json:"matchers"`
	Config   string              `json:"config"`
	Alerts   []map[string]string `json:"alerts"`
	Times    []int64             `json:"times"`
	Script   *script             `json:"script"`
}

type script struct {
	Start  int64    `json:"start_ms"`
	Until  int64    `json:"until_ms"`
	Events []event  `json:"events"`
	Fails  []outage `json:"fails"`
}

type event struct {
	At       int64             `json:"at_ms"`
	Kind     string            `json:"kind"`
	Labels   map[string]string `json:"labels"`
	Starts   int64             `json:"starts_ms"`
	Ends     int64             `json:"ends_ms"`
	Matchers string            `json:"matchers"`
	Name     string            `json:"name"`
}

type outage struct {
	Receiver string `json:"receiver"`
	From     int64  `json:"from_ms"`
	To       int64  `json:"to_ms"`
}

type matcher struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
	Text  string `json:"text"`
}

type routed struct {
	Receiver string `json:"receiver"`
	ID       string `json:"id"`
	GroupKey string `json:"group_key"`
	Wait     int64  `json:"group_wait_ms"`
	Interval int64  `json:"group_interval_ms"`
	Repeat   int64  `json:"repeat_interval_ms"`
	Muted    []bool `json:"muted"`
}

type notified struct {
	At       int64    `json:"at_ms"`
	Receiver string   `json:"receiver"`
	GroupKey string   `json:"group_key"`
	Status   string   `json:"status"`
	Firing   []string `json:"firing"`
	Resolved []string `json:"resolved"`
}

type answer struct {
	Error    string     `json:"error,omitempty"`
	Matchers []matcher  `json:"matchers,omitempty"`
	Prints   []string   `json:"fingerprints,omitempty"`
	Routes   [][]routed `json:"routes,omitempty"`
	Sent     []notified `json:"sent,omitempty"`
}

var quiet = promslog.NewNopLogger()

func TestOracle(t *testing.T) {
	compat.InitFromFlags(quiet, featurecontrol.NoopFlags{})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<28)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			t.Fatal(err)
		}
		said, _ := json.Marshal(answerTo(t, asked))
		out.WriteString("answer ")
		out.Write(said)
		out.WriteByte('\n')
	}
}

func answerTo(t *testing.T, asked question) answer {
	if asked.Matchers != nil {
		found, err := compat.Matchers(*asked.Matchers, "oracle")
		if err != nil {
			return answer{Error: err.Error()}
		}
		said := answer{Matchers: []matcher{}}
		for _, m := range found {
			said.Matchers = append(said.Matchers, matcher{m.Name, m.Type.String(), m.Value, m.String()})
		}
		return said
	}
	conf, err := config.Load(asked.Config)
	if err != nil {
		return answer{Error: err.Error()}
	}
	if asked.Script != nil {
		return answer{Sent: played(t, conf, *asked.Script)}
	}
	intervals := intervener(conf)
	said := answer{}
	root := dispatch.NewRoute(conf.Route, nil)
	for _, names := range asked.Alerts {
		alert := labelSet(names)
		said.Prints = append(said.Prints, alert.Fingerprint().String())
		found := []routed{}
		for _, route := range root.Match(alert) {
			found = append(found, routeOf(route, alert, intervals, asked.Times))
		}
		said.Routes = append(said.Routes, found)
	}
	return said
}

// Decoding a LabelSet would refuse names that only the UTF-8 parser knows.
func labelSet(names map[string]string) model.LabelSet {
	made := model.LabelSet{}
	for name, value := range names {
		made[model.LabelName(name)] = model.LabelValue(value)
	}
	return made
}

func routeOf(route *dispatch.Route, alert model.LabelSet, intervals *timeinterval.Intervener, times []int64) routed {
	opts := route.RouteOpts
	group := model.LabelSet{}
	for name, value := range alert {
		if _, ok := opts.GroupBy[name]; ok || opts.GroupByAll {
			group[name] = value
		}
	}
	said := routed{
		Receiver: opts.Receiver,
		ID:       route.ID(),
		GroupKey: route.Key() + ":" + group.String(),
		Wait:     opts.GroupWait.Milliseconds(),
		Interval: opts.GroupInterval.Milliseconds(),
		Repeat:   opts.RepeatInterval.Milliseconds(),
		Muted:    []bool{},
	}
	for _, at := range times {
		muted, _, _ := intervals.Mutes(opts.MuteTimeIntervals, time.UnixMilli(at))
		active, _, _ := intervals.Mutes(opts.ActiveTimeIntervals, time.UnixMilli(at))
		said.Muted = append(said.Muted, muted || (len(opts.ActiveTimeIntervals) > 0 && !active))
	}
	return said
}

func intervener(conf *config.Config) *timeinterval.Intervener {
	named := map[string][]timeinterval.TimeInterval{}
	for _, one := range conf.MuteTimeIntervals {
		named[one.Name] = one.TimeIntervals
	}
	for _, one := range conf.TimeIntervals {
		named[one.Name] = one.TimeIntervals
	}
	return timeinterval.NewIntervener(named)
}

// -- scripts --------------------------------------------------------------------------------------------------------

type resolvedSender bool

func (wants resolvedSender) SendResolved() bool { return bool(wants) }

type receiver struct {
	name  string
	begun time.Time
	start int64
	fails []outage
	mutex *sync.Mutex
	sent  *[]notified
}

func (r receiver) Notify(ctx context.Context, alerts ...*types.Alert) (bool, error) {
	at := r.start + time.Since(r.begun).Milliseconds()
	for _, outage := range r.fails {
		if outage.Receiver == r.name && outage.From <= at && at < outage.To {
			return false, errors.New("out of order")
		}
	}
	key, _ := notify.ExtractGroupKey(ctx)
	said := notified{At: at, Receiver: r.name, GroupKey: string(key), Status: string(types.Alerts(alerts...).Status())}
	said.Firing, said.Resolved = []string{}, []string{}
	for _, alert := range alerts {
		if alert.Resolved() {
			said.Resolved = append(said.Resolved, alert.Fingerprint().String())
		} else {
			said.Firing = append(said.Firing, alert.Fingerprint().String())
		}
	}
	sort.Strings(said.Firing)
	sort.Strings(said.Resolved)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	*r.sent = append(*r.sent, said)
	return false, nil
}

func played(t *testing.T, conf *config.Config, played script) []notified {
	sent := []notified{}
	synctest.Test(t, func(t *testing.T) {
		// The bubble's clock begins at 2000-01-01; scripts begin where they say, for the sake of time intervals.
		time.Sleep(time.UnixMilli(played.Start).Sub(time.Now()))
		begun := time.Now()
		sleepTo := func(at int64) {
			time.Sleep(begun.Add(time.Duration(at-played.Start) * time.Millisecond).Sub(time.Now()))
		}
		moment := func(at int64) time.Time { return time.UnixMilli(at) }

		ctx, cancel := context.WithCancel(t.Context())
		registry := prometheus.NewRegistry()
		marker := types.NewMarker(registry)
		alerts, err := mem.NewAlerts(ctx, marker, 30*time.Minute, nil, quiet, registry)
		must(t, err)
		silences, err := silence.New(silence.Options{Retention: 120 * time.Hour, Logger: quiet, Metrics: registry})
		must(t, err)
		sentLog, err := nflog.New(nflog.Options{Retention: 120 * time.Hour, Logger: quiet, Metrics: registry})
		must(t, err)
		inhibitor := inhibit.NewInhibitor(alerts, conf.InhibitRules, marker, quiet)
		silencer := silence.NewSilencer(silences, marker, quiet)
		var mutex sync.Mutex
		receivers := map[string][]notify.Integration{}
		for _, one := range conf.Receivers {
			for i, hook := range one.WebhookConfigs {
				to := receiver{one.Name, begun, played.Start, played.Fails, &mutex, &sent}
				made := notify.NewIntegration(to, resolvedSender(hook.SendResolved()), "webhook", i, one.Name)
				receivers[one.Name] = append(receivers[one.Name], made)
			}
		}
		pipeline := notify.NewPipelineBuilder(registry, featurecontrol.NoopFlags{}).New(
			receivers, func() time.Duration { return 0 }, inhibitor, silencer, intervener(conf), marker, sentLog, nil)
		atLeast := func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) }
		routes := dispatch.NewRoute(conf.Route, nil)
		metrics := dispatch.NewDispatcherMetrics(false, registry)
		dispatcher := dispatch.NewDispatcher(alerts, routes, pipeline, marker, atLeast, nil, quiet, metrics)
		go inhibitor.Run()
		go dispatcher.Run()
		synctest.Wait()

		ids := map[string]string{}
		for _, event := range played.Events {
			sleepTo(event.At)
			switch event.Kind {
			case "alert":
				alert := &types.Alert{UpdatedAt: time.Now()}
				alert.Labels, alert.StartsAt, alert.EndsAt = labelSet(event.Labels), moment(event.Starts), moment(event.Ends)
				must(t, alerts.Put(alert))
			case "silence":
				found, err := compat.Matchers(event.Matchers, "oracle")
				must(t, err)
				made := &silencepb.Silence{StartsAt: moment(event.Starts), EndsAt: moment(event.Ends), Comment: "x", CreatedBy: "x"}
				for _, m := range found {
					made.Matchers = append(made.Matchers, &silencepb.Matcher{Type: typeOf[m.Type], Name: m.Name, Pattern: m.Value})
				}
				must(t, silences.Set(made))
				ids[event.Name] = made.Id
			case "expire":
				must(t, silences.Expire(ids[event.Name]))
			}
			synctest.Wait()
		}
		sleepTo(played.Until)
		synctest.Wait()
		dispatcher.Stop()
		inhibitor.Stop()
		alerts.Close()
		cancel()
	})
	return sent
}

var typeOf = map[labels.MatchType]silencepb.Matcher_Type{
	labels.MatchEqual:     silencepb.Matcher_EQUAL,
	labels.MatchNotEqual:  silencepb.Matcher_NOT_EQUAL,
	labels.MatchRegexp:    silencepb.Matcher_REGEXP,
	labels.MatchNotRegexp: silencepb.Matcher_NOT_REGEXP,
}

func must(t *testing.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}
