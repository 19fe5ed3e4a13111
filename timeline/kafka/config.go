package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says how to reach the log. The zero value of each field but Brokers is a
// working default.
type Config struct {
	// Brokers are the seed addresses, host:port.
	Brokers []string
	// ClientID names this process in the brokers' logs; default "tideline".
	ClientID string
	// Replication is the replication factor of topics that Tideline creates; default 1
	// on fewer than three brokers, else 3.
	Replication int
	// Linger is how long a write waits for company, trading delay for throughput;
	// default 2 ms.
	Linger time.Duration
	// Dial options for TLS, SASL and tests.
	Extra []kgo.Opt
}

// Options returns the franz-go options every client of Tideline starts from.
func (c Config) Options(more ...kgo.Opt) []kgo.Opt {
	id := c.ClientID
	if id == "" {
		id = "tideline"
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(id),
		// A broker that goes away is waited for, however long: nothing is dropped.
		kgo.RetryTimeout(30 * time.Second),
		kgo.MetadataMinAge(50 * time.Millisecond),
	}
	opts = append(opts, c.Extra...)
	return append(opts, more...)
}

// Away says whether an error means that the brokers cannot be reached or are busy with
// themselves: asking again later is the cure.
func Away(err error) bool {
	var network net.Error
	return kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded)
}

// NewClient connects a client with the common options and more.
func (c Config) NewClient(more ...kgo.Opt) (*kgo.Client, error) {
	if len(c.Brokers) == 0 {
		return nil, fmt.Errorf("connecting to kafka: no brokers given; name at least one host:port")
	}
	cl, err := kgo.NewClient(c.Options(more...)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to kafka %v: %w", c.Brokers, err)
	}
	return cl, nil
}
