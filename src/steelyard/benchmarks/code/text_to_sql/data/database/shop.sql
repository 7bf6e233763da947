-- A shop: customers, products, orders and what stood in them. Written for this project.
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT, joined INTEGER);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, price REAL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer(id), day TEXT);
CREATE TABLE line (order_id INTEGER REFERENCES orders(id), product_id INTEGER REFERENCES product(id), amount INTEGER);
INSERT INTO customer VALUES (1,'Ada','Bern',2019),(2,'Bo','Basel',2020),(3,'Cleo','Bern',2021),(4,'Dan','Chur',2021),(5,'Eve','Basel',2022);
INSERT INTO product VALUES (1,'pencil','paper',0.5),(2,'notebook','paper',3.0),(3,'lamp','light',25.0),(4,'candle','light',2.5),(5,'chair','wood',60.0),(6,'shelf','wood',45.0);
INSERT INTO orders VALUES (1,1,'2023-01-03'),(2,1,'2023-02-10'),(3,2,'2023-02-11'),(4,3,'2023-03-01'),(5,3,'2023-03-05'),(6,3,'2023-04-01'),(7,5,'2023-04-02');
INSERT INTO line VALUES (1,1,10),(1,2,2),(2,3,1),(3,4,6),(3,1,4),(4,5,1),(4,2,1),(5,6,2),(6,1,3),(7,3,2),(7,4,1);
