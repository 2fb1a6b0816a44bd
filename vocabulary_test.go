package postrider_test

import (
	"strings"
	"testing"

	"github.com/postrider/postrider"
)

func TestADeliveryMovesOnlyAsTheLawAllows(t *testing.T) {
	const nonsense = postrider.DeliveryState("nonsense")
	states := []postrider.DeliveryState{
		postrider.DeliveryPending, postrider.DeliverySucceeded, postrider.DeliveryFailed, postrider.DeliveryCancelled, nonsense, "",
	}
	legal := map[[2]postrider.DeliveryState]bool{
		{postrider.DeliveryPending, postrider.DeliverySucceeded}: true,
		{postrider.DeliveryPending, postrider.DeliveryFailed}:    true,
		{postrider.DeliveryPending, postrider.DeliveryCancelled}: true,
		{postrider.DeliveryFailed, postrider.DeliveryPending}:    true, // a person asks for a retry
		{postrider.DeliveryCancelled, postrider.DeliveryPending}: true,
	}
	for _, from := range states {
		for _, to := range states {
			if got, want := from.CanMove(to), legal[[2]postrider.DeliveryState{from, to}]; got != want {
				t.Errorf("%q to %q: %v, want %v", from, to, got, want)
			}
		}
		if got, want := from.Final(), from != postrider.DeliveryPending; got != want {
			t.Errorf("%q is final: %v, want %v", from, got, want)
		}
	}
}

func TestAPublishersEventIDIsTakenOrRefusedInPlainWords(t *testing.T) {
	longest := strings.Repeat("x", postrider.MaxGivenIDLength)
	for _, id := range []string{"1", "order-1", "A_b:9", "01890a5d-ac96-774b-bcce-b302099a8057", longest} {
		if err := postrider.ValidateGivenID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", longest + "x", "a.b", "a b", "a\n", "a/b", "é", "a\x00", "\xff", "{id}", "*"} {
		err := postrider.ValidateGivenID(id)
		if postrider.ErrorCode(err) != postrider.CodeInvalid || !strings.HasPrefix(err.Error(), "an event id ") {
			t.Errorf("%q: %v, want an error of code invalid about an event id", id, err)
		}
	}
}

func TestTheWorldKnowsAnEventByThePublishersIDWhenThereIsOne(t *testing.T) {
	event := postrider.Event{}
	event.ID.ID, _ = postrider.ParseUUID("01890a5d-ac96-774b-bcce-b302099a8057")
	if got := event.PublicID(); got != "evt_01h455vb4pex5vsknk084sn02q" {
		t.Errorf("without a given id: %q", got)
	}
	event.GivenID = "order-1"
	if got := event.PublicID(); got != "order-1" {
		t.Errorf("with a given id: %q", got)
	}
}

func TestOnlyTheKnownEnvironmentsAndRolesAreTaken(t *testing.T) {
	for _, environment := range []postrider.Environment{postrider.Production, postrider.Sandbox} {
		if err := environment.Validate(); err != nil {
			t.Errorf("%q: %v", environment, err)
		}
	}
	for _, role := range []postrider.Role{postrider.RoleOperator, postrider.RoleAdmin, postrider.RolePublisher, postrider.RoleViewer} {
		if err := role.Validate(); err != nil {
			t.Errorf("%q: %v", role, err)
		}
	}
	for _, text := range []string{"", "Production", "staging", "operator ", "root"} {
		for _, err := range []error{postrider.Environment(text).Validate(), postrider.Role(text).Validate()} {
			if postrider.ErrorCode(err) != postrider.CodeInvalid || !strings.Contains(err.Error(), ": use ") {
				t.Errorf("%q: %v, want an error of code invalid that says what to use", text, err)
			}
		}
	}
}
