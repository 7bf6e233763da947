package quay;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What lies on the quay, crate by crate. */
public class Cargo {
    private final Map<String, Integer> crates = new TreeMap<>();
    private int limit;

    public Cargo(int limit) {
        this.limit = limit;
    }

    /** The larger of two numbers that is not above a limit, or the limit itself. */
    public static int capped(int a, int b, int limit) {
        int larger = a > b ? a : b;
        return larger < limit ? larger : limit;
    }

    /** The words of a text in reverse order, joined by single blanks. */
    public static String reversedWords(String text) {
        List<String> words = new ArrayList<>(List.of(text.trim().split("\\s+")));
        java.util.Collections.reverse(words);
        return String.join(" ", words);
    }

    /** How many crates lie here in all. */
    public int total() {
        int sum = 0;
        for (int count : crates.values()) {
            sum += count;
        }
        return sum;
    }

    /** Add crates of a kind. Returns false, and changes nothing, where the limit would be passed. */
    public boolean add(String kind, int count) {
        if (total() + count > limit) {
            return false;
        }
        crates.merge(kind, count, Integer::sum);
        return true;
    }

    /** The kind of which there are most; of equal ones the first in the alphabet; null where there is none. */
    public String commonest() {
        String best = null;
        for (Map.Entry<String, Integer> entry : crates.entrySet()) {
            if (best == null || entry.getValue() > crates.get(best)) {
                best = entry.getKey();
            }
        }
        return best;
    }
}
