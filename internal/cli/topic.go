package cli

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/api"
	"github.com/postrider/postrider/client"
)

func newTopic(t *Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "topic",
		Short: "Keep the catalogue of topics, and close it",
		Example: `  postrider topic list --source operator
  postrider topic create order.created --description 'An order was placed' --example '{"object":{"id":17}}'
  postrider topic policy --closed`,
	}
	r := newRemote(t, c)
	return group(c, newTopicList(r), newTopicGet(r), newTopicCreate(r), newTopicUpdate(r), newTopicDelete(r), newTopicPolicy(r))
}

func newTopicList(r *remote) *cobra.Command {
	var p page
	var filter client.TopicFilter
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the catalogue, and what endpoints name beside it, by name",
		Example: "  postrider topic list --source webhook",
		Args:    arguments(cobra.NoArgs),
	}
	p.register(c)
	c.Flags().StringVar(&filter.Source, "source", "", "only those of this `source`: builtin, operator, or webhook for what only endpoints name")
	c.Flags().StringVar(&filter.Environment, "environment", "", "count the endpoints of this `environment` only")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		filter.Page = p.page()
		list, err := server.Topics(c.Context(), filter)
		if err != nil {
			return err
		}
		defer r.more(list.Next)
		return r.show(list, func() {
			rows := newTable(r.t.Out, "TOPIC", "SOURCE", "ENDPOINTS", "DESCRIPTION")
			for _, topic := range list.Data {
				rows.row(topic.Name, topic.Source, strconv.Itoa(topic.Webhooks), topic.Description)
			}
			_ = rows.flush()
		})
	}
	return c
}

func newTopicGet(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "get TOPIC",
		Short:   "Show a topic of the catalogue with its example",
		Example: "  postrider topic get resource.created",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			topic, err := server.Topic(c.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(topic, func() { printTopic(r.t, topic) })
		},
	}
}

func newTopicCreate(r *remote) *cobra.Command {
	var in api.TopicCreate
	var example, previous string
	c := &cobra.Command{
		Use:     "create TOPIC",
		Short:   "Put a topic into the catalogue",
		Example: `  postrider topic create order.created --description 'An order was placed' --example '{"object":{"id":17}}'`,
		Args:    arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&in.Description, "description", "", "`text` that says what happened")
	c.Flags().StringVar(&example, "example", "", "`JSON` that is the data of a test event")
	c.Flags().StringVar(&previous, "previous-example", "", "`JSON` that is the previous data of a test event")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		in.Name = args[0]
		if in.Example, err = flagJSON("example", example); err != nil {
			return err
		}
		if in.PreviousExample, err = flagJSON("previous-example", previous); err != nil {
			return err
		}
		server, err := r.client()
		if err != nil {
			return err
		}
		topic, err := server.CreateTopic(c.Context(), in)
		if err != nil {
			return err
		}
		return r.show(topic, func() { printTopic(r.t, topic) })
	}
	return c
}

func newTopicUpdate(r *remote) *cobra.Command {
	var description, example, previous string
	c := &cobra.Command{
		Use:     "update TOPIC",
		Short:   "Change a topic of the catalogue; what is not named stays",
		Example: `  postrider topic update order.created --description 'An order was placed' --example null`,
		Args:    arguments(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&description, "description", "", "`text` that says what happened")
	c.Flags().StringVar(&example, "example", "", "`JSON` that is the data of a test event; null takes it away")
	c.Flags().StringVar(&previous, "previous-example", "", "`JSON` that is the previous data of a test event; null takes it away")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		in := api.TopicUpdate{Description: chosen(c.Flags().Changed("description"), description)}
		if in.Example, err = flagJSON("example", example); err != nil {
			return err
		}
		if in.PreviousExample, err = flagJSON("previous-example", previous); err != nil {
			return err
		}
		if in.Description == nil && in.Example == nil && in.PreviousExample == nil {
			return badUsagef("nothing to change is named")
		}
		server, err := r.client()
		if err != nil {
			return err
		}
		topic, err := server.UpdateTopic(c.Context(), args[0], in)
		if err != nil {
			return err
		}
		return r.show(topic, func() { printTopic(r.t, topic) })
	}
	return c
}

// flagJSON reads a flag that holds JSON, nil when it is "".
func flagJSON(name, text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	if !json.Valid([]byte(text)) {
		return nil, badUsagef("--%s is not JSON", name)
	}
	return json.RawMessage(text), nil
}

func newTopicDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "delete TOPIC",
		Short:   "Take a topic out of the catalogue",
		Example: "  postrider topic delete order.created",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := r.client()
			if err != nil {
				return err
			}
			if err := server.DeleteTopic(c.Context(), args[0]); err != nil {
				return err
			}
			if !r.json {
				fmt.Fprintf(r.t.Out, "%s is deleted.\n", args[0])
			}
			return nil
		},
	}
}

func newTopicPolicy(r *remote) *cobra.Command {
	var closed, builtin bool
	c := &cobra.Command{
		Use:   "policy",
		Short: "Show or change whether the catalogue is closed",
		Long: `Show or change whether the catalogue is closed. A closed one refuses every other topic when events are published and
endpoints registered. Without flags it is shown.`,
		Example: `  postrider topic policy
  postrider topic policy --closed --builtin=false`,
		Args: arguments(cobra.NoArgs),
	}
	c.Flags().BoolVar(&closed, "closed", false, "refuse topics that are not in the catalogue")
	c.Flags().BoolVar(&builtin, "builtin", true, "the built-in topics are part of the catalogue")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		policy, err := server.TopicPolicy(c.Context())
		if err != nil {
			return err
		}
		if c.Flags().Changed("closed") || c.Flags().Changed("builtin") {
			if c.Flags().Changed("closed") {
				policy.Closed = closed
			}
			if c.Flags().Changed("builtin") {
				policy.BuiltIn = builtin
			}
			if policy, err = server.PutTopicPolicy(c.Context(), *policy); err != nil {
				return err
			}
		}
		return r.show(policy, func() {
			f := newFacts(r.t.Out)
			f.add("closed", strconv.FormatBool(policy.Closed))
			f.add("builtin", strconv.FormatBool(policy.BuiltIn))
			_ = f.flush()
		})
	}
	return c
}

func printTopic(t *Terminal, topic *api.Topic) {
	f := newFacts(t.Out)
	f.add("topic", topic.Name)
	f.add("description", topic.Description)
	f.add("source", topic.Source)
	f.add("example", string(topic.Example))
	f.add("previous example", string(topic.PreviousExample))
	_ = f.flush()
}
