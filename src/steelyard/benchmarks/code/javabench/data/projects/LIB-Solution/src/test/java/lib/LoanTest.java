package lib;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoanTest {

    private final Loan loan = new Loan(new Book("Emma", 1), 10, 14);

    @ParameterizedTest
    @CsvSource({"10, 0", "24, 0", "25, 1", "30, 6"})
    void isLateAfterItsDays(int today, int late) {
        assertEquals(late, loan.daysLate(today));
    }

    @Test
    void aDayCostsTwentyCents() {
        assertEquals(60, loan.fee(27));
    }

    @Test
    void noMoreThanFiveEuros() {
        assertEquals(500, loan.fee(400));
    }
}
