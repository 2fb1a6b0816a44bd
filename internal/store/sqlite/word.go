package sqlite

import (
	"database/sql/driver"

	"github.com/postrider/postrider"
)

// The closed lists of words, each stored as its place in its list. The lists may only grow at their
// ends. A word that is not in its list is stored as text, so that a list that lags behind the
// vocabulary costs a few bytes and loses nothing; the states, which queries compare, are complete
// (word_test.go).
var (
	environmentWords   = [...]postrider.Environment{"", postrider.Production, postrider.Sandbox}
	endpointStateWords = [...]postrider.EndpointState{"", postrider.EndpointEnabled, postrider.EndpointPaused, postrider.EndpointDisabled}
	deliveryStateWords = [...]postrider.DeliveryState{postrider.DeliveryPending, postrider.DeliverySucceeded, postrider.DeliveryFailed, postrider.DeliveryCancelled}
	triggerWords       = [...]postrider.Trigger{"", postrider.TriggerSchedule, postrider.TriggerManual, postrider.TriggerTest}
	outcomeKindWords   = [...]postrider.OutcomeKind{"", postrider.OutcomeSuccess, postrider.OutcomeRetryable, postrider.OutcomePermanent, postrider.OutcomeGone}
	outcomeCodeWords   = [...]postrider.OutcomeCode{
		"", postrider.OutcomeDelivered, postrider.OutcomeHTTPStatus, postrider.OutcomeDNS, postrider.OutcomeRefused,
		postrider.OutcomeUnreachable, postrider.OutcomeTLS, postrider.OutcomeTimeout, postrider.OutcomeReset,
		postrider.OutcomeTooLarge, postrider.OutcomeBlockedAddress, postrider.OutcomeProtocol,
		postrider.OutcomeContract, postrider.OutcomeInterrupted, postrider.OutcomeToken,
	}
	// A delivery's reason is one of its own words or an outcome's code.
	reasonWords = [...]postrider.ReasonCode{
		"", postrider.ReasonNoSubscriber, postrider.ReasonEndpointDisabled, postrider.ReasonEndpointDeleted,
		postrider.ReasonCode(postrider.OutcomeDelivered), postrider.ReasonCode(postrider.OutcomeHTTPStatus),
		postrider.ReasonCode(postrider.OutcomeDNS), postrider.ReasonCode(postrider.OutcomeRefused),
		postrider.ReasonCode(postrider.OutcomeUnreachable), postrider.ReasonCode(postrider.OutcomeTLS),
		postrider.ReasonCode(postrider.OutcomeTimeout), postrider.ReasonCode(postrider.OutcomeReset),
		postrider.ReasonCode(postrider.OutcomeTooLarge), postrider.ReasonCode(postrider.OutcomeBlockedAddress),
		postrider.ReasonCode(postrider.OutcomeProtocol), postrider.ReasonCode(postrider.OutcomeContract),
		postrider.ReasonCode(postrider.OutcomeInterrupted), postrider.ReasonCode(postrider.OutcomeToken),
	}
)

const (
	statePending   = 0
	stateSucceeded = 1
	stateCancelled = 3

	endpointDisabled = 3
)

// number gives the stored form of a word.
func number[W ~string](words []W, word W) driver.Value {
	for i := range words {
		if words[i] == word {
			return int64(i)
		}
	}
	return string(word)
}

// word reads what number wrote.
func word[W ~string](words []W, stored any) W {
	switch v := stored.(type) {
	case int64:
		if v >= 0 && v < int64(len(words)) {
			return words[v]
		}
	case string:
		return W(v)
	}
	return ""
}
